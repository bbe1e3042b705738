// pitstop.h: new code in a running program, for programs in C and C++.
//
// The program attaches, opens libraries and names its safe point. A library that is built anew while the program runs is
// proven to match and is live from the next safe point on.
//
//     pitstop_host *host;
//     pitstop_library *library;
//     pitstop_function *update;
//     pitstop_error *error = pitstop_attach(NULL, &host);
//     if (!error) error = pitstop_library_open(host, PITSTOP_TEXT("build/libphysics.so"), &library);
//     if (!error) error = pitstop_library_function(library, PITSTOP_TEXT("update"),
//                                                  PITSTOP_SIGNATURE(fn(f32) -> f32), &update);
//     if (error) { fputs(pitstop_error_text(error), stderr); exit(1); }
//     for (;;) {
//         pitstop_safe_point(host);
//         height = ((float (*)(float))pitstop_function_live(update))(height);
//     }
//
// Errors: a function that can fail returns a pitstop_error, or NULL when all is well. The caller frees it.
// Ownership: whoever gets a handle frees it, with the function that its own comment names. Free functions take NULL.
// Arguments: NULL is an error where nothing else is said, and never a crash. Texts come in as pointer and length, in UTF-8,
// without a NUL; they are copied where they are kept. Texts that go out are NUL-terminated and belong to what they are of.
// Threads: each function says which threads may call it. "Any thread" means several at once too.
// Nothing unwinds out of these functions, and nothing may unwind into them.
//
// This file is made by cbindgen from host/c/src. Link with -lpitstop, or with libpitstop.a: `pkg-config pitstop` knows both.

#ifndef PITSTOP_H
#define PITSTOP_H


#include <stddef.h>
#include <stdint.h>

// A literal text, for the two arguments of a text.
#define PITSTOP_TEXT(literal) ("" literal), (sizeof(literal) - 1)

// The signature of a C function in Rust's terms, for the two arguments of a text: PITSTOP_SIGNATURE(fn(u64, *const f32) -> i32).
#define PITSTOP_SIGNATURE(...) PITSTOP_TEXT("extern \"C\" " #__VA_ARGS__)

// In the place of a signature: nothing is proven.
#define PITSTOP_UNCHECKED NULL, 0


// The version of this interface: what a header and a library must have in common. It changes when a program that was
// compiled before would not work any more.
#define PITSTOP_ABI 1

// An argument is null, no UTF-8, or otherwise not what it has to be.
#define PITSTOP_ERROR_ARGUMENT 1

// There is no such library, or no such symbol in it.
#define PITSTOP_ERROR_NOT_FOUND 2

// The system's loader, or the proof, refused the library.
#define PITSTOP_ERROR_REFUSED 3

// The function has another signature.
#define PITSTOP_ERROR_SIGNATURE 4

// The library has no debug info to prove the signature from: build it with `-g`.
#define PITSTOP_ERROR_UNPROVEN 5

// It is another thread's to do.
#define PITSTOP_ERROR_THREAD 6

// Not possible as things are; the text says why.
#define PITSTOP_ERROR_STATE 7

// A panic inside the library, which is a mistake of its own: please report it.
#define PITSTOP_ERROR_PANICKED 8

// A file of settings says something that cannot be; the text has its line.
#define PITSTOP_ERROR_CONFIG 9

// A plugin says that it cannot do what it was asked for, in its own words.
#define PITSTOP_ERROR_PLUGIN_FAILED 10

// A plugin is switched off, or has no version that can be used.
#define PITSTOP_ERROR_PLUGIN_AWAY 11

// A plugin panicked, took too long, ended, or broke its interface.
#define PITSTOP_ERROR_PLUGIN 12

// A new version of a library is live.
#define PITSTOP_EVENT_RELOADED 1

// A new version did not build, or was refused. The program goes on with what it has.
#define PITSTOP_EVENT_FAILED 2

// Another version than the newest is live.
#define PITSTOP_EVENT_ROLLED_BACK 3

// Something that a person should know.
#define PITSTOP_EVENT_NOTICE 4

// The plugin is not there, because it has no version that can be used.
#define PITSTOP_PLUGIN_ABSENT 0

// Calls go to the plugin.
#define PITSTOP_PLUGIN_LIVE 1

// The plugin is switched off.
#define PITSTOP_PLUGIN_DISABLED 2

// A plugin, to be called.
typedef struct pitstop_plugin_called pitstop_plugin_called;

// What went wrong. Functions that can fail return one, or null when all is well; whoever gets it frees it, with
// `pitstop_error_free`. There is no other place to look for errors.
typedef struct pitstop_error pitstop_error;

// Something that happened.
typedef struct pitstop_event pitstop_event;

// A function of a library. Its pointer is swapped at the safe point, together with all others.
typedef struct pitstop_function pitstop_function;

// A program that takes part. All handles of a process stand for the same one.
typedef struct pitstop_host pitstop_host;

// A library whose functions are asked for by name.
typedef struct pitstop_library pitstop_library;

// What is known of all plugins at one moment.
typedef struct pitstop_plugin_list pitstop_plugin_list;

// The plugins that a file configures.
typedef struct pitstop_plugins pitstop_plugins;

// A unit of work of one thread: until it ends, no swap happens. Belongs to the thread that began it.
typedef struct pitstop_unit pitstop_unit;

// How a program takes part. Set all of it to zero, then `size`, then what is to differ: zero stands for the default.
//
//     pitstop_config config = {0};
//     config.size = sizeof config;
//     config.wait_ms = 20;
typedef struct pitstop_config {
    // `sizeof(pitstop_config)`: which fields there are.
    size_t size;
    // How long one safe point waits for threads that are in a unit of work, in ms. 0: 50 ms.
    uint32_t wait_ms;
    // How long new units of work are held back, over several safe points, before they may begin again and the swap is tried
    // later, in ms. 0: 2 s.
    uint32_t patience_ms;
    // How long `pitstop_library_open` waits for a library that is not there yet, in ms. 0: 10 s.
    uint32_t library_wait_ms;
    // 1: versions that nothing refers to any more are unmapped. 0: all stay. On Linux with glibc on x86-64 only; read what
    // the documentation of `pitstop_host::Config::unload` says of it first.
    uint32_t unload;
} pitstop_config;

// A function of unknown type: cast it to its own before it is called.
typedef void (*pitstop_pointer)(void);

// Takes a line of the log: `level` is 1 for error, 2 warning, 3 info, 4 debug, 5 trace; `text` is NUL-terminated UTF-8 of
// `length` bytes before that, valid during the call only. Called on any thread, several at once; must not unwind.
typedef void (*pitstop_log_callback)(void *context, int32_t level, const char *text, size_t length);

// Bytes that are the caller's, to be freed with `pitstop_bytes_free`.
typedef struct pitstop_bytes {
    // The first byte; null if there is none.
    uint8_t *data;
    // How many there are.
    size_t length;
    // For `pitstop_bytes_free`.
    size_t capacity;
} pitstop_bytes;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The `PITSTOP_ABI` of the library, for a program that loads it by itself: compare it with that of the header before
// anything else is called. Any thread; cannot fail.
uint32_t pitstop_abi(void);

// The library's version, such as "0.1.0". Valid for as long as the process lives; not to be freed. Any thread; cannot fail.
const char *pitstop_version(void);

// What sort of error it is: one of `PITSTOP_ERROR_...`; 0 for null. More may come, so that a `switch` wants a `default`.
// Any thread.
int32_t pitstop_error_code(const struct pitstop_error *error);

// What went wrong, in a sentence or more for a person: NUL-terminated UTF-8, which is the error's and valid until that is
// freed. Empty for null. Any thread.
const char *pitstop_error_text(const struct pitstop_error *error);

// Frees an error. Null does nothing. Any thread.
void pitstop_error_free(struct pitstop_error *error);

// Attaches the program: to the session that started it, if there is one.
//
// `config` may be null for the defaults; the settings of the first call in the process hold. `*host` is the caller's, to be
// freed with `pitstop_host_free`; on failure it is null. Attaching again gives another handle to the same host.
//
// Fails with PITSTOP_ERROR_ARGUMENT. Any thread.
struct pitstop_error *pitstop_attach(const struct pitstop_config *config,
                                     struct pitstop_host **host);

// Frees the handle. The program goes on taking part, and what was opened through the handle stays good. Null does nothing.
// Any thread, when no other uses the handle.
void pitstop_host_free(struct pitstop_host *host);

// 1 if a session was found, otherwise 0; 0 for null. Any thread.
int32_t pitstop_is_attached(const struct pitstop_host *host);

// The moment at which it is fine to swap: call it where no function of a reloaded library is on the calling thread's stack,
// from one place, once per frame. Costs one atomic load when nothing is new.
//
// With new code it makes all functions point to it and returns. When other threads are in units of work (`pitstop_enter`), it
// holds new ones back and waits for at most `wait_ms`; if some are still busy, it is tried again at the next safe point.
//
// Fails with PITSTOP_ERROR_ARGUMENT. Always the same thread, which thereby becomes the thread of the safe point; not within
// a unit of work.
struct pitstop_error *pitstop_safe_point(const struct pitstop_host *host);

// Goes back to the version that was live before, at the next safe point. The outcome is an event. Does nothing without a session.
//
// Fails with PITSTOP_ERROR_ARGUMENT. Any thread.
struct pitstop_error *pitstop_undo(const struct pitstop_host *host);

// Goes forward again, after `pitstop_undo`. Does nothing without a session.
//
// Fails with PITSTOP_ERROR_ARGUMENT. Any thread.
struct pitstop_error *pitstop_redo(const struct pitstop_host *host);

// Asks the session's command to build the program anew and to start it in place of this one; this returns at once. Does
// nothing without a session.
//
// Fails with PITSTOP_ERROR_ARGUMENT. Any thread.
struct pitstop_error *pitstop_restart(const struct pitstop_host *host);

// Begins a unit of work on this thread: all functions of reloaded libraries that it calls until `pitstop_leave` are of one
// version. For threads other than the one of the safe point. Waits while a swap is about to happen, unless this thread is in a
// unit already; then the swap waits for the outer one.
//
// `*unit` is the caller's, who ends and frees it with `pitstop_leave`; on failure it is null. Get functions' pointers after
// this, not before.
//
// Fails with PITSTOP_ERROR_ARGUMENT. Any thread but the one of the safe point.
struct pitstop_error *pitstop_enter(const struct pitstop_host *host,
                                    struct pitstop_unit **unit);

// Ends the unit of work and frees its handle.
//
// Fails with PITSTOP_ERROR_ARGUMENT, and with PITSTOP_ERROR_THREAD on another thread than the one that began it; the unit
// then goes on, and its handle stays good. The thread that began it.
struct pitstop_error *pitstop_leave(struct pitstop_unit *unit);

// Opens a library: a file, where `name` has a path separator, or else the dynamic library of a crate by the crate's name.
//
// A file may be built by anything, and is followed with a session and without: when it is written anew, the new version is live
// from a safe point on. A crate's library is looked for beside the executable, once; in a session it is built and followed. In
// a session this waits for up to `library_wait_ms` for a library that is not there yet. `*library` is the caller's, to be freed with `pitstop_library_free`; on failure it is null.
//
// Fails with PITSTOP_ERROR_ARGUMENT, PITSTOP_ERROR_NOT_FOUND, PITSTOP_ERROR_REFUSED. Any thread.
struct pitstop_error *pitstop_library_open(const struct pitstop_host *host,
                                           const char *name,
                                           size_t name_length,
                                           struct pitstop_library **library);

// Frees the handle. The library stays loaded, and functions of it stay good. Null does nothing. Any thread, when no other
// uses the handle.
void pitstop_library_free(struct pitstop_library *library);

// A function of a library, by the symbol that the library exports.
//
// `signature` says in Rust's terms what the function is, for example `extern "C" fn(u64, *const f32) -> i32`: it is then proven
// from the library's debug info, now and for every later version, and a version in which it differs is refused. With null in
// its place nothing is proven, and the caller vouches for all versions. `*function` is the caller's, to be freed with
// `pitstop_function_free`; on failure it is null.
//
// Fails with PITSTOP_ERROR_ARGUMENT, PITSTOP_ERROR_NOT_FOUND, PITSTOP_ERROR_SIGNATURE, PITSTOP_ERROR_UNPROVEN. Any thread.
struct pitstop_error *pitstop_library_function(const struct pitstop_library *library,
                                               const char *symbol,
                                               size_t symbol_length,
                                               const char *signature,
                                               size_t signature_length,
                                               struct pitstop_function **function);

// The live function: cast it to its type and call it. Get it anew for each use, since a kept pointer stays with the old code. One
// atomic load. Null for null. Any thread; threads other than the one of the safe point within a unit of work.
pitstop_pointer pitstop_function_get(const struct pitstop_function *function);

// Frees the handle. Pointers that came of it stay good. Null does nothing. Any thread, when no other uses the handle.
void pitstop_function_free(struct pitstop_function *function);

// The next thing that happened since the program attached. `*event` is the caller's, to be freed with `pitstop_event_free`; it
// is null when there is none. Each event is reported once in the process; of those that nobody asks for, the newest 256 are kept.
//
// Fails with PITSTOP_ERROR_ARGUMENT. Any thread; never waits.
struct pitstop_error *pitstop_poll(const struct pitstop_host *host,
                                   struct pitstop_event **event);

// What happened: one of `PITSTOP_EVENT_...`; 0 for null. More may come, so that a `switch` wants a `default`. Any thread.
int32_t pitstop_event_kind(const struct pitstop_event *event);

// Which library or crate it is about: the crate's name, or the library's absolute path. NUL-terminated UTF-8, which is the
// event's and valid until that is freed; empty where it is about none, and for null. Any thread.
const char *pitstop_event_library(const struct pitstop_event *event);

// The number of the version it is about: that which is live now, or that which failed; where nothing was built, the live one. 0
// is what the program began with, and for null. Any thread.
uint32_t pitstop_event_version(const struct pitstop_event *event);

// What happened, for a person, in one line or more: of a failure all that the compiler or the proof says. NUL-terminated UTF-8,
// which is the event's and valid until that is freed; empty for null. Any thread.
const char *pitstop_event_text(const struct pitstop_event *event);

// Frees an event. Null does nothing. Any thread.
void pitstop_event_free(struct pitstop_event *event);

// Has `callback` called with `context` for each line of the library's log up to `max_level` (1 for errors alone, 3 is usual).
// Without it the log goes nowhere. It takes the place of the one before; null in its place ends the log. When this returns, the
// one before is not running any more, and what its context points to may be freed.
//
// Fails with PITSTOP_ERROR_ARGUMENT; with PITSTOP_ERROR_STATE when called from a callback, or when other Rust code of
// the process has installed a logger. Any thread.
struct pitstop_error *pitstop_log_to(pitstop_log_callback callback,
                                     void *context,
                                     int32_t max_level);

// Opens the plugins that a file, such as `pitstop.toml`, and the drop-in directories which it names configure; returns once each
// has its first version, or none to be had. Their files are followed from then on: newer versions, and switches, take effect at
// safe points, with a session and without. `*plugins` is the caller's, to be freed with `pitstop_plugins_free`; on failure it is
// null.
//
// Fails with PITSTOP_ERROR_ARGUMENT, PITSTOP_ERROR_CONFIG, PITSTOP_ERROR_STATE. Any thread.
struct pitstop_error *pitstop_plugins_open(const char *file,
                                           size_t file_length,
                                           struct pitstop_plugins **plugins);

// Ends all plugins and frees the handle; waits for them for up to 3 s. Calls of `pitstop_plugin_called` are errors from then on.
// Null does nothing. Any thread, when no other uses the handle.
void pitstop_plugins_free(struct pitstop_plugins *plugins);

// Switches a plugin on again, at the next safe point.
//
// Fails with PITSTOP_ERROR_ARGUMENT, PITSTOP_ERROR_NOT_FOUND. Any thread.
struct pitstop_error *pitstop_plugins_enable(const struct pitstop_plugins *plugins,
                                             const char *name,
                                             size_t name_length);

// Switches a plugin off, at the next safe point: calls of it are errors, and it stays loaded.
//
// Fails with PITSTOP_ERROR_ARGUMENT, PITSTOP_ERROR_NOT_FOUND. Any thread.
struct pitstop_error *pitstop_plugins_disable(const struct pitstop_plugins *plugins,
                                              const char *name,
                                              size_t name_length);

// A plugin by its name, to be called. `*plugin` is the caller's, to be freed with `pitstop_plugin_called_free`; on failure it is
// null. A plugin that has no version yet is there, and calls of it are errors.
//
// Fails with PITSTOP_ERROR_ARGUMENT, PITSTOP_ERROR_NOT_FOUND. Any thread.
struct pitstop_error *pitstop_plugins_get(const struct pitstop_plugins *plugins,
                                          const char *name,
                                          size_t name_length,
                                          struct pitstop_plugin_called **plugin);

// Frees the handle. Null does nothing. Any thread, when no other uses the handle.
void pitstop_plugin_called_free(struct pitstop_plugin_called *plugin);

// Has a plugin make its output of an input, both any bytes, by the version that is live when the call begins. `input` may be
// null if `input_length` is 0. `*output` is the caller's, to be freed with `pitstop_bytes_free`; on failure it is empty.
//
// Fails with PITSTOP_ERROR_ARGUMENT; with PITSTOP_ERROR_PLUGIN_FAILED where the plugin says so, in its own words; with
// PITSTOP_ERROR_PLUGIN_AWAY where it is switched off or has no version; with PITSTOP_ERROR_PLUGIN where it panicked, took too
// long, ended or broke its interface. Any thread.
struct pitstop_error *pitstop_plugin_process(const struct pitstop_plugin_called *plugin,
                                             const uint8_t *input,
                                             size_t input_length,
                                             struct pitstop_bytes *output);

// Frees bytes and leaves them empty. Null, and empty ones, do nothing. Any thread.
void pitstop_bytes_free(struct pitstop_bytes *bytes);

// What is known of all plugins now, by name. `*list` is the caller's, to be freed with `pitstop_plugin_list_free`; on failure it
// is null.
//
// Fails with PITSTOP_ERROR_ARGUMENT. Any thread.
struct pitstop_error *pitstop_plugins_list(const struct pitstop_plugins *plugins,
                                           struct pitstop_plugin_list **list);

// How many plugins are in the list; 0 for null. Any thread.
size_t pitstop_plugin_list_length(const struct pitstop_plugin_list *list);

// The name of a plugin in the list. This and the other texts of a list are NUL-terminated UTF-8, the list's, and valid until that
// is freed; empty where there is nothing to say, for null, and for an index that is not in the list. Any thread.
const char *pitstop_plugin_list_name(const struct pitstop_plugin_list *list,
                                     size_t index);

// How it is run: `dylib`, `c` or `exec`; empty for a drop-in whose configuration has a fault. Any thread.
const char *pitstop_plugin_list_mechanism(const struct pitstop_plugin_list *list, size_t index);

// One of `PITSTOP_PLUGIN_ABSENT`, `_LIVE`, `_DISABLED`. Any thread.
int32_t pitstop_plugin_list_state(const struct pitstop_plugin_list *list, size_t index);

// The number of its newest version that is loaded; 0 without one. Any thread.
uint32_t pitstop_plugin_list_number(const struct pitstop_plugin_list *list, size_t index);

// What its author calls that version. Any thread.
const char *pitstop_plugin_list_version(const struct pitstop_plugin_list *list, size_t index);

// Why its newest file is not live, if it is not. Any thread.
const char *pitstop_plugin_list_problem(const struct pitstop_plugin_list *list, size_t index);

// Frees a list. Null does nothing. Any thread.
void pitstop_plugin_list_free(struct pitstop_plugin_list *list);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#ifdef __cplusplus
extern "C" {
#endif

// pitstop_function_get without the call, for where each nanosecond counts: a handle begins with the address of the pointer.
// `function` must not be NULL. Threads as there.
static inline pitstop_pointer pitstop_function_live(const pitstop_function *function) {
#if defined(__GNUC__) || defined(__clang__)
    return __atomic_load_n(*(pitstop_pointer *const *)(const void *)function, __ATOMIC_ACQUIRE);
#else
    return pitstop_function_get(function);
#endif
}

#ifdef __cplusplus
}
#endif

#endif
