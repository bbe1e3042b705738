// What the game and its physics share. Changes of it need a restart.
#ifndef PHYSICS_H
#define PHYSICS_H

#include <stdint.h>

// The game's, and kept by it.
struct Ball {
    double height;
    double speed;
};

#endif
