// pitstop_plugin.hpp: a plugin as a class, for C++17. One plugin per library.
//
//     #include "pitstop_plugin.hpp"
//
//     struct greeter {
//         std::string process(std::string_view input) const { return "Hello, " + std::string(input) + "!"; }
//     };
//     PITSTOP_PLUGIN(greeter, "greeter", "1.0.0", "")
//
// The class is constructed without arguments, once for each version that is loaded; `process` is const, since it is called from
// any thread and several at once. It throws pitstop::failed, with a message, for what it cannot do. Any other exception is told
// as a panic. None leaves the library.

#ifndef PITSTOP_PLUGIN_HPP
#define PITSTOP_PLUGIN_HPP

#include "pitstop_plugin.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pitstop {

// What a plugin throws when it cannot make an output.
class failed : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

namespace plugin_detail {

// Leaves the buffer empty where there is no memory.
inline bool fill(pitstop_buffer *buffer, std::string_view text) noexcept {
    void *data = text.empty() ? nullptr : std::malloc(text.size());
    if (data == nullptr) {
        return text.empty();
    }
    std::memcpy(data, text.data(), text.size());
    *buffer = pitstop_buffer{static_cast<std::uint8_t *>(data), text.size(), text.size()};
    return true;
}

template <class Work> pitstop_status contained(pitstop_buffer *buffer, Work work) noexcept {
    try {
        return work();
    } catch (const failed &failure) {
        fill(buffer, failure.what());
        return PITSTOP_FAILED;
    } catch (const std::exception &exception) {
        fill(buffer, exception.what());
        return PITSTOP_PANICKED;
    } catch (...) {
        return PITSTOP_PANICKED;
    }
}

template <class P> pitstop_status create(const pitstop_plugin_host *, void **instance, pitstop_buffer *error) noexcept {
    return contained(error, [&] {
        *instance = new P();
        return PITSTOP_OK;
    });
}

template <class P>
pitstop_status process(void *instance, const std::uint8_t *input, std::size_t length, pitstop_buffer *output) noexcept {
    return contained(output, [&] {
        const std::string_view text(length == 0 ? "" : reinterpret_cast<const char *>(input), length);
        const std::string made = static_cast<const P *>(instance)->process(text);
        return fill(output, made) ? PITSTOP_OK : PITSTOP_FAILED;
    });
}

inline void release(void *, pitstop_buffer *buffer) noexcept {
    std::free(buffer->data);
    *buffer = pitstop_buffer{nullptr, 0, 0};
}

template <class P> void destroy(void *instance) noexcept { delete static_cast<P *>(instance); }

} // namespace plugin_detail
} // namespace pitstop

// Exports class P as the library's plugin. `capabilities` are words separated by spaces.
#define PITSTOP_PLUGIN(P, name, version, capabilities)                                                                 \
    PITSTOP_PLUGIN_EXPORT std::uint32_t pitstop_plugin_abi(void) { return PITSTOP_PLUGIN_ABI; }                        \
    PITSTOP_PLUGIN_EXPORT const pitstop_plugin_table *pitstop_plugin(void) {                                           \
        static const pitstop_plugin_table table = {PITSTOP_PLUGIN_ABI,                                                 \
                                                   sizeof(pitstop_plugin_table),                                       \
                                                   name,                                                               \
                                                   version,                                                            \
                                                   capabilities,                                                       \
                                                   pitstop::plugin_detail::create<P>,                                  \
                                                   pitstop::plugin_detail::process<P>,                                 \
                                                   pitstop::plugin_detail::release,                                    \
                                                   pitstop::plugin_detail::destroy<P>,                                 \
                                                   nullptr};                                                           \
        return &table;                                                                                                 \
    }

#endif
