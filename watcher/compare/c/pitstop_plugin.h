// pitstop_plugin.h: plugins in C, C++, Go or anything else that exports C functions, for programs that use Pitstop.
//
// A plugin makes an output of an input. It is a dynamic library that exports two functions:
//
//     PITSTOP_PLUGIN_EXPORT uint32_t pitstop_plugin_abi(void) { return PITSTOP_PLUGIN_ABI; }
//     PITSTOP_PLUGIN_EXPORT const pitstop_plugin_table *pitstop_plugin(void) { return &table; }
//
// The program asks for the version first, and calls nothing else when that is another. Then it takes the table, makes one
// instance, and calls `process` of it from any thread, several at once. When a newer version of the library is live and the
// last call of this one has ended, it destroys the instance. The library itself may stay loaded.
//
// Buffers: the plugin allocates what it puts into a buffer, the program copies it and hands the same buffer to `release`, once,
// on any thread. Nobody frees the other's memory: what the program passes (input, host, the buffer struct itself) is the
// program's; what the plugin fills in (data) is the plugin's. The input is valid during the call only.
//
// Nothing may unwind out of a plugin: C++ catches its exceptions (and says PITSTOP_PANICKED), Go recovers its panics.
//
// The same in Rust is reloadable/src/plugin/table.rs; a test keeps both equal.

#ifndef PITSTOP_PLUGIN_H
#define PITSTOP_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

// Before what a plugin exports, wherever symbols are hidden by default.
#if defined(_WIN32)
#define PITSTOP_PLUGIN_VISIBLE __declspec(dllexport)
#elif defined(__GNUC__) || defined(__clang__)
#define PITSTOP_PLUGIN_VISIBLE __attribute__((visibility("default")))
#else
#define PITSTOP_PLUGIN_VISIBLE
#endif
#ifdef __cplusplus
#define PITSTOP_PLUGIN_EXPORT extern "C" PITSTOP_PLUGIN_VISIBLE
#else
#define PITSTOP_PLUGIN_EXPORT PITSTOP_PLUGIN_VISIBLE
#endif

#ifdef __cplusplus
extern "C" {
#endif

// The version of this interface, which `pitstop_plugin_abi` returns.
#define PITSTOP_PLUGIN_ABI 1

// How a call ended.
typedef int32_t pitstop_status;

// Well: the buffer holds the output.
#define PITSTOP_OK 0

// Not: the buffer holds a message, or nothing.
#define PITSTOP_FAILED 1

// It panicked, or threw: the buffer holds a message, or nothing.
#define PITSTOP_PANICKED 2

// The plugin does not know what it was asked for; the buffer holds what that is, or nothing.
#define PITSTOP_UNSUPPORTED 3

// Bytes that the plugin has allocated and frees, in `release`. The program passes an empty one, all zero; a plugin that has
// nothing to say leaves it so.
typedef struct pitstop_buffer {
    // The first byte; NULL if there is none.
    uint8_t *data;
    // How many there are. Not counted: a NUL at the end of a text, which needs none.
    size_t length;
    // How many there is room for; at least `length`. The program only hands it back.
    size_t capacity;
} pitstop_buffer;

// What the program offers to a plugin. The program's; valid for as long as the process lives.
typedef struct pitstop_plugin_host {
    // sizeof(pitstop_plugin_host) as the program knows it: fields beyond it are not there.
    uint32_t size;
    // For `log`.
    void *context;
    // Writes a line to the program's log: `level` is 1 for error, 2 warning, 3 info, 4 debug, 5 trace. `text` is UTF-8 of
    // `length` bytes, the plugin's, and is copied. Any thread. May be NULL.
    void (*log)(void *context, int32_t level, const char *text, size_t length);
} pitstop_plugin_host;

// The functions of a plugin. A static of the plugin's, which nobody writes once it was handed out.
typedef struct pitstop_plugin_table {
    // PITSTOP_PLUGIN_ABI.
    uint32_t abi;
    // sizeof(pitstop_plugin_table) as the plugin knows it; may be more than the program knows.
    uint32_t size;
    // NUL-terminated UTF-8, the plugin's, valid for as long as the library is loaded.
    const char *name;
    // The same; may be NULL.
    const char *version;
    // Words separated by spaces, the same; may be NULL.
    const char *capabilities;
    // Makes an instance and stores it in `*instance`, which may be NULL where the plugin keeps nothing; or says in `error` why
    // not. The instance is the plugin's, until `destroy`. Called on one thread at a time, before any other call of the instance.
    pitstop_status (*create)(const pitstop_plugin_host *host, void **instance, pitstop_buffer *error);
    // Makes the output of `length` bytes of `input`, or a message, in `output`. The input is the program's, valid during the
    // call only, and not NULL unless `length` is 0. Any thread, and several at once.
    pitstop_status (*process)(void *instance, const uint8_t *input, size_t length, pitstop_buffer *output);
    // Frees what is in a buffer that `create`, `process` or `health` has filled. `instance` is NULL for one of `create`'s. Called
    // once for each, whatever the status was, on any thread; not for those that were left empty. Sets `data` to NULL.
    void (*release)(void *instance, pitstop_buffer *buffer);
    // Ends an instance; no call of it runs, and none comes after. Its buffers were released before.
    void (*destroy)(void *instance);
    // Whether a new instance is fit for use, asked once, before it is used; otherwise why not, in `error`. May be NULL.
    pitstop_status (*health)(void *instance, pitstop_buffer *error);
} pitstop_plugin_table;

// What a plugin exports, and nothing else is looked for: the version of this interface, PITSTOP_PLUGIN_ABI. Asked before
// anything else is called.
PITSTOP_PLUGIN_VISIBLE uint32_t pitstop_plugin_abi(void);

// And its table, which is the plugin's and stays. Called once for each version that is loaded.
PITSTOP_PLUGIN_VISIBLE const pitstop_plugin_table *pitstop_plugin(void);

#ifdef __cplusplus
}
#endif

#endif
