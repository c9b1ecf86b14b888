/* Images of a batch one under the other. A weight tile is used for the rows of one strip,
 * and a strip lies in one image: where images are small, tiles come in more slowly than
 * they are used up. As one tall image, with lines of padding between, several of them
 * share a strip. */
#ifndef SYSTOLE_PROGRAM_CONV_MERGE_H
#define SYSTOLE_PROGRAM_CONV_MERGE_H

#include <stdint.h>

#include "engine/conv.h"
#include "program/timing.h"

/* Cycles from weight tile to weight tile: memory's, or those of shifting one in. */
double systole_conv_tile_cycles(const systole_geometry *geometry,
                                const systole_memory_timing *memory);

typedef struct systole_conv_merge {
  systole_conv2d conv;   /* of one tall image; its residual is the batch's own */
  int64_t lines_between; /* from the first line of an image to that of the next ... */
  int64_t out_between;   /* ... and of its output */
} systole_conv_merge;

/* 1, and *out, when the batch is computed in fewer cycles that way; else 0. */
int systole_conv_merge_make(systole_conv_merge *out, const systole_conv_call *call,
                            const systole_geometry *geometry,
                            const systole_memory_timing *memory);

/* Lays the batch's input out in `tall` [lines][width][channels], padding between. */
void systole_conv_merge_input(int8_t *tall, const systole_conv_merge *merge,
                              const systole_conv_call *call);

/* Likewise for what has the output's shape, `bytes` an element; and the way back. Lines
 * between images get zeros, and are dropped. */
void systole_conv_merge_output(uint8_t *tall, const systole_conv_merge *merge,
                               const systole_conv_call *call, const void *batch,
                               int64_t bytes);
void systole_conv_split_output(void *batch, const systole_conv_merge *merge,
                               const systole_conv_call *call, const uint8_t *tall,
                               int64_t bytes);

#endif
