/* Networks as tables of their convolutions and products, embedded at build time from
 * layers/ or read from a file of the same form. */
#ifndef SYSTOLE_CLI_LAYERS_H
#define SYSTOLE_CLI_LAYERS_H

#include <stddef.h>
#include <stdint.h>

#include "conv_task.h"
#include "options.h"

typedef struct systole_layer {
  char name[40];
  systole_conv2d conv; /* sizes alone */
  systole_conv_extras extras;
} systole_layer;

typedef struct systole_layers {
  char name[16];
  char title[160]; /* the table's first comment line */
  systole_layer *layers;
  size_t count;
} systole_layers;

/* By name, or the path of a .csv file. Returns an exit code. */
int systole_layers_open(systole_layers *out, const char *name);
void systole_layers_free(systole_layers *layers);

/* 1: a network of this name is built in. */
int systole_layers_known(const char *name);

/* A layer with its operands, drawn from the seed and the layer's number, so that a layer
 * is the same whichever ran before. Returns an exit code. */
int systole_layer_task(systole_conv_task *task, const systole_layer *layer,
                       uint64_t number, uint64_t seed);

typedef struct systole_layers_request {
  const char *name, *device;
  const systole_common *common;
  uint64_t seed;
  int repeat, no_check;
} systole_layers_request;

/* Runs them one after the other on a device, each checked, and shows a table and the
 * total. Returns an exit code. */
int systole_layers_run(const systole_layers_request *request);

#endif
