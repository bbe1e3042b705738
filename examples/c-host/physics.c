// How the ball moves and looks. Edit, type `make`, and look at the game.
#include "physics.h"

// How much of its speed the ball keeps when it bounces: 1.0 is all.
#define KEPT 0.95

char physics_glyph(void) { return 'o'; }

// Moves the ball by a frame; returns how often it has bounced.
uint32_t physics_bounce(struct Ball *ball) {
    ball->height -= ball->speed;
    if (ball->height > 0.0) {
        return 0;
    }
    ball->height = -ball->height;
    ball->speed = -ball->speed * KEPT;
    return 1;
}
