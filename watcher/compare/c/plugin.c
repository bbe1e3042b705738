/* The plugin as a library in C: mechanism `c`. */

#include "pitstop_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef SECOND
#define GREETING "Howdy, "
#else
#define GREETING "Hello, "
#endif

/* Another one stands for a plugin that was built against another version of the interface. */
#ifndef ABI
#define ABI PITSTOP_PLUGIN_ABI
#endif

/* After how many steps a point leaves the circle of radius 2; as in kernel.rs. */
static uint32_t steps(double x0, double y0)
{
    double x = 0, y = 0;
    for (uint32_t step = 0; step < 200; step++) {
        double xx = x * x, yy = y * y;
        if (xx + yy > 4)
            return step;
        y = 2 * x * y + y0;
        x = xx - yy + x0;
    }
    return 200;
}

static uint64_t kernel(uint32_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;
    double scale = 3.0 / size;
    for (uint32_t row = 0; row < size; row++)
        for (uint32_t column = 0; column < size; column++)
            hash = (hash ^ steps(column * scale - 2.0, row * scale - 1.5)) * 0x100000001b3u;
    return hash;
}

/* Puts two texts into the buffer, one after the other. */
static pitstop_status put(pitstop_buffer *output, const void *one, size_t length, const void *two, size_t more)
{
    output->data = malloc(length + more + 1);
    if (output->data == NULL)
        return PITSTOP_FAILED;
    memcpy(output->data, one, length);
    memcpy(output->data + length, two, more);
    output->length = length + more;
    output->capacity = output->length + 1;
    return PITSTOP_OK;
}

static pitstop_status failed(pitstop_buffer *output, const char *why)
{
    put(output, why, strlen(why), "", 0);
    return PITSTOP_FAILED;
}

static pitstop_status compute(pitstop_buffer *output, const char *text, size_t length)
{
    char number[24] = { 0 };
    memcpy(number, text, length < sizeof number ? length : sizeof number - 1);
    int printed = snprintf(number, sizeof number, "%llu", (unsigned long long)kernel((uint32_t)strtoul(number, NULL, 10)));
    return put(output, number, (size_t)printed, "", 0);
}

static pitstop_status read_file(pitstop_buffer *output, const char *text, size_t length)
{
    char path[256] = { 0 }, bytes[65536];
    memcpy(path, text, length < sizeof path ? length : sizeof path - 1);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return failed(output, "cannot open the file");
    size_t count = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return put(output, bytes, count, "", 0);
}

/* Whether the input begins with this. */
static int is(const uint8_t *input, size_t length, const char *verb)
{
    return length >= strlen(verb) && memcmp(input, verb, strlen(verb)) == 0;
}

static pitstop_status process(void *instance, const uint8_t *input, size_t length, pitstop_buffer *output)
{
    const char *text = (const char *)input;
    (void)instance;
    if (is(input, length, "echo:"))
        return put(output, input, length, "", 0);
    if (is(input, length, "greet:")) {
        pitstop_status status = put(output, GREETING, sizeof GREETING - 1, text + 6, length - 6);
        if (status == PITSTOP_OK)
            output->data[output->length++] = '!';
        return status;
    }
    if (is(input, length, "kernel:"))
        return compute(output, text + 7, length - 7);
    if (is(input, length, "read:"))
        return read_file(output, text + 5, length - 5);
    if (is(input, length, "crash"))
        *(volatile char *)16 = 1;
    if (is(input, length, "loop"))
        for (volatile int turns = 0;;)
            turns = 0;
    return failed(output, "no such verb");
}

static pitstop_status create(const pitstop_plugin_host *host, void **instance, pitstop_buffer *error)
{
    (void)host;
    (void)error;
    *instance = NULL; /* it remembers nothing */
    return PITSTOP_OK;
}

static void release(void *instance, pitstop_buffer *buffer)
{
    (void)instance;
    free(buffer->data);
    buffer->data = NULL;
}

static void destroy(void *instance)
{
    (void)instance;
}

static const pitstop_plugin_table table = {
    .abi = ABI,
    .size = sizeof table,
    .name = "subject",
    .version = "1.0.0",
    .create = create,
    .process = process,
    .release = release,
    .destroy = destroy,
};

PITSTOP_PLUGIN_EXPORT uint32_t pitstop_plugin_abi(void)
{
    return ABI;
}

PITSTOP_PLUGIN_EXPORT const pitstop_plugin_table *pitstop_plugin(void)
{
    return &table;
}
