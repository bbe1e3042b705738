// A small game: a ball falls and bounces. The loop and the ball's state are here and stay; how the ball is drawn and bounces is in
// physics.c, what gravity is and what a bounce is worth in rules/src/lib.rs. Both change while this runs.
#include "pitstop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "physics.h"

enum { WIDTH = 40, FRAME_MS = 33 };

static void must(pitstop_error *error) {
    if (error) {
        fprintf(stderr, "%s\n", pitstop_error_text(error));
        pitstop_error_free(error);
        exit(1);
    }
}

static pitstop_function *function(pitstop_library *library, const char *symbol, const char *signature) {
    pitstop_function *found;
    must(pitstop_library_function(library, symbol, strlen(symbol), signature, strlen(signature), &found));
    return found;
}

// What happened since the last frame, in the player's words.
static void tell_news(pitstop_host *host) {
    for (;;) {
        pitstop_event *event;
        must(pitstop_poll(host, &event));
        if (!event) {
            return;
        }
        const char *library = pitstop_event_library(event);
        const char *text = pitstop_event_text(event);
        switch (pitstop_event_kind(event)) {
        case PITSTOP_EVENT_RELOADED:
            printf("-- reloaded: %s, version %u\n", library, (unsigned)pitstop_event_version(event));
            break;
        case PITSTOP_EVENT_FAILED:
            printf("-- not reloaded: %s: %s\n", library, text);
            break;
        case PITSTOP_EVENT_ROLLED_BACK:
            printf("-- rolled back: %s, version %u\n", library, (unsigned)pitstop_event_version(event));
            break;
        default:
            printf("-- %s\n", text);
        }
        pitstop_event_free(event);
    }
}

static long frames_wanted(int count, char **words) {
    return count == 3 && strcmp(words[1], "--frames") == 0 ? strtol(words[2], NULL, 10) : -1;
}

int main(int count, char **words) {
    const long frames = frames_wanted(count, words);
    setvbuf(stdout, NULL, _IOLBF, 0);

    pitstop_host *host;
    pitstop_library *physics, *rules;
    must(pitstop_attach(NULL, &host));
    must(pitstop_library_open(host, PITSTOP_TEXT(PHYSICS_LIBRARY), &physics));
    must(pitstop_library_open(host, PITSTOP_TEXT(RULES_LIBRARY), &rules));
    pitstop_function *bounce = function(physics, "physics_bounce", "extern \"C\" fn(*mut Ball) -> u32");
    pitstop_function *glyph = function(physics, "physics_glyph", "extern \"C\" fn() -> i8");
    pitstop_function *fall = function(rules, "rules_fall", "extern \"C\" fn(f64) -> f64");
    pitstop_function *points = function(rules, "rules_points", "extern \"C\" fn(u32) -> u32");

    struct Ball ball = {WIDTH / 2.0, 0.0};
    uint32_t bounces = 0;
    for (long frame = 0; frame != frames; frame++) {
        must(pitstop_safe_point(host));
        tell_news(host);
        ball.speed = ((double (*)(double))pitstop_function_live(fall))(ball.speed);
        bounces += ((uint32_t(*)(struct Ball *))pitstop_function_live(bounce))(&ball);
        const char mark = ((char (*)(void))pitstop_function_live(glyph))();
        const uint32_t score = ((uint32_t(*)(uint32_t))pitstop_function_live(points))(bounces);
        printf("frame %4ld  score %5u  |%*c\n", frame, (unsigned)score, 1 + (int)ball.height, mark);
        const struct timespec pace = {0, FRAME_MS * 1000000L};
        nanosleep(&pace, NULL);
    }

    pitstop_function_free(points);
    pitstop_function_free(fall);
    pitstop_function_free(glyph);
    pitstop_function_free(bounce);
    pitstop_library_free(rules);
    pitstop_library_free(physics);
    pitstop_host_free(host);
    return 0;
}
