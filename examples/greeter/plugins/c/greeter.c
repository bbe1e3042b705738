/* The greeter in C: a plugin of mechanism `c`. */

#include "pitstop_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pitstop_status create(const pitstop_plugin_host *host, void **instance, pitstop_buffer *error)
{
    (void)host;
    (void)error;
    *instance = NULL; /* a greeter remembers nothing */
    return PITSTOP_OK;
}

static pitstop_status process(void *instance, const uint8_t *input, size_t length, pitstop_buffer *output)
{
    static const char before[] = "Hello, ", after[] = ", from C";
    (void)instance;
    output->length = sizeof before - 1 + length + sizeof after - 1;
    output->capacity = output->length;
    output->data = malloc(output->capacity);
    if (output->data == NULL) {
        output->length = output->capacity = 0;
        return PITSTOP_FAILED;
    }
    memcpy(output->data, before, sizeof before - 1);
    memcpy(output->data + sizeof before - 1, input, length);
    memcpy(output->data + sizeof before - 1 + length, after, sizeof after - 1);
    return PITSTOP_OK;
}

static void release(void *instance, pitstop_buffer *buffer)
{
    (void)instance;
    free(buffer->data);
}

static void destroy(void *instance)
{
    (void)instance;
}

static const pitstop_plugin_table table = {
    .abi = PITSTOP_PLUGIN_ABI,
    .size = sizeof table,
    .name = "greeter",
    .version = "1.0.0",
    .create = create,
    .process = process,
    .release = release,
    .destroy = destroy,
};

PITSTOP_PLUGIN_EXPORT uint32_t pitstop_plugin_abi(void)
{
    return PITSTOP_PLUGIN_ABI;
}

PITSTOP_PLUGIN_EXPORT const pitstop_plugin_table *pitstop_plugin(void)
{
    return &table;
}
