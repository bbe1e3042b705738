// pitstop.hpp: pitstop.h for C++17. Handles that free themselves, errors as exceptions, functions with their type.
//
//     pitstop::host host;
//     pitstop::library physics = host.open("build/libphysics.so");
//     pitstop::function<float(float)> update = physics.function<float(float)>("update", "fn(f32) -> f32");
//     for (;;) {
//         host.safe_point();
//         height = update(height);
//     }
//
// Threads: as pitstop.h says of each function. All but `function` is moved and not copied. Headers only.

#ifndef PITSTOP_HPP
#define PITSTOP_HPP

#include "pitstop.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace pitstop {

// A pitstop_error, thrown.
class error : public std::runtime_error {
  public:
    error(int code, const char *text) : std::runtime_error(text), code_(code) {}

    // One of PITSTOP_ERROR_...
    int code() const noexcept { return code_; }

    // Throws what a function has returned, if it is an error.
    static void check(pitstop_error *failure) {
        if (failure == nullptr) {
            return;
        }
        const std::unique_ptr<pitstop_error, decltype(&pitstop_error_free)> owned(failure, pitstop_error_free);
        throw error(pitstop_error_code(failure), pitstop_error_text(failure));
    }

  private:
    int code_;
};

// What happened: a reload, a failure, a way back.
struct event {
    // One of PITSTOP_EVENT_...
    int kind;
    std::string library;
    unsigned version;
    std::string text;
};

template <class F> class function;

// A function of a library, with its type. Copies share one handle.
template <class R, class... A> class function<R(A...)> {
  public:
    using pointer = R (*)(A...);

    explicit function(pitstop_function *owned) : handle_(owned, pitstop_function_free) {}

    // The live function. Get it anew for each use, or call it: a kept pointer stays with the old code.
    pointer get() const noexcept { return reinterpret_cast<pointer>(pitstop_function_live(handle_.get())); }

    R operator()(A... arguments) const { return get()(std::forward<A>(arguments)...); }

  private:
    std::shared_ptr<pitstop_function> handle_;
};

// A library whose functions are asked for by name.
class library {
  public:
    explicit library(pitstop_library *owned) : handle_(owned, pitstop_library_free) {}

    // A function whose signature is proven, now and for every later version. `signature` says in Rust's terms what F is, which the
    // compiler cannot compare: "fn(u64, *const f32) -> i32".
    template <class F> pitstop::function<F> function(std::string_view symbol, std::string_view signature) const {
        const std::string text = "extern \"C\" " + std::string(signature);
        return open<F>(symbol, text.data(), text.size());
    }

    // A function of which nothing is proven: the caller vouches for it, in all versions.
    template <class F> pitstop::function<F> function_unchecked(std::string_view symbol) const {
        return open<F>(symbol, nullptr, 0);
    }

  private:
    template <class F>
    pitstop::function<F> open(std::string_view symbol, const char *signature, std::size_t length) const {
        static_assert(std::is_function_v<F>, "a function type is expected, such as float(float)");
        pitstop_function *function = nullptr;
        error::check(
            pitstop_library_function(handle_.get(), symbol.data(), symbol.size(), signature, length, &function));
        return pitstop::function<F>(function);
    }

    std::unique_ptr<pitstop_library, decltype(&pitstop_library_free)> handle_;
};

// A unit of work, from its construction to its destruction, on one thread.
class unit {
  public:
    explicit unit(pitstop_unit *owned) noexcept : handle_(owned) {}
    unit(const unit &) = delete;
    unit &operator=(const unit &) = delete;

    ~unit() {
        // Fails only on another thread, where the unit goes on for good.
        pitstop_error_free(pitstop_leave(handle_));
    }

  private:
    pitstop_unit *handle_;
};

// The program as it takes part.
class host {
  public:
    host() : host(nullptr) {}
    explicit host(const pitstop_config &config) : host(&config) {}

    bool is_attached() const noexcept { return pitstop_is_attached(handle_.get()) != 0; }
    void safe_point() const { error::check(pitstop_safe_point(handle_.get())); }
    void undo() const { error::check(pitstop_undo(handle_.get())); }
    void redo() const { error::check(pitstop_redo(handle_.get())); }
    void restart() const { error::check(pitstop_restart(handle_.get())); }

    // [[nodiscard]]: the unit ends when the result is destroyed.
    [[nodiscard]] unit enter() const {
        pitstop_unit *entered = nullptr;
        error::check(pitstop_enter(handle_.get(), &entered));
        return unit(entered);
    }

    library open(std::string_view name) const {
        pitstop_library *opened = nullptr;
        error::check(pitstop_library_open(handle_.get(), name.data(), name.size(), &opened));
        return library(opened);
    }

    // The next thing that happened, if there is one.
    std::optional<event> poll() const {
        pitstop_event *polled = nullptr;
        error::check(pitstop_poll(handle_.get(), &polled));
        if (polled == nullptr) {
            return std::nullopt;
        }
        const std::unique_ptr<pitstop_event, decltype(&pitstop_event_free)> owned(polled, pitstop_event_free);
        return event{pitstop_event_kind(polled), pitstop_event_library(polled), pitstop_event_version(polled),
                     pitstop_event_text(polled)};
    }

    // For what pitstop.h has and this has not.
    pitstop_host *get() const noexcept { return handle_.get(); }

  private:
    explicit host(const pitstop_config *config) : handle_(nullptr, pitstop_host_free) {
        pitstop_host *attached = nullptr;
        error::check(pitstop_attach(config, &attached));
        handle_.reset(attached);
    }

    std::unique_ptr<pitstop_host, decltype(&pitstop_host_free)> handle_;
};

// The plugins that a file configures.
class plugins {
  public:
    explicit plugins(std::string_view file) : handle_(nullptr, pitstop_plugins_free) {
        pitstop_plugins *opened = nullptr;
        error::check(pitstop_plugins_open(file.data(), file.size(), &opened));
        handle_.reset(opened);
    }

    void enable(std::string_view name) const {
        error::check(pitstop_plugins_enable(handle_.get(), name.data(), name.size()));
    }

    void disable(std::string_view name) const {
        error::check(pitstop_plugins_disable(handle_.get(), name.data(), name.size()));
    }

    // What a plugin makes of an input, both any bytes. Looks the plugin up: pitstop_plugins_get, of `get`, saves that.
    std::string process(std::string_view name, std::string_view input) const {
        pitstop_plugin_called *found = nullptr;
        error::check(pitstop_plugins_get(handle_.get(), name.data(), name.size(), &found));
        const std::unique_ptr<pitstop_plugin_called, decltype(&pitstop_plugin_called_free)> plugin(
            found, pitstop_plugin_called_free);
        pitstop_bytes output = {nullptr, 0, 0};
        error::check(pitstop_plugin_process(found, reinterpret_cast<const std::uint8_t *>(input.data()), input.size(),
                                            &output));
        const std::unique_ptr<pitstop_bytes, decltype(&pitstop_bytes_free)> owned(&output, pitstop_bytes_free);
        return output.length == 0 ? std::string()
                                  : std::string(reinterpret_cast<const char *>(output.data), output.length);
    }

    // For what pitstop.h has and this has not.
    pitstop_plugins *get() const noexcept { return handle_.get(); }

  private:
    std::unique_ptr<pitstop_plugins, decltype(&pitstop_plugins_free)> handle_;
};

} // namespace pitstop

#endif
