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

/* A network's cycles on a device, layer after layer, without data. */
typedef struct systole_layers_sum {
  uint64_t macs, weights; /* useful; bytes of parameters */
  uint64_t cycles;
  double seconds;
  systole_ledger ledger;
  systole_geometry geometry;
  double clock_mhz, energy_j[3]; /* low, nominal, high; 0 where it is not known */
  char memory[96];
} systole_layers_sum;

/* `device` is a model; fails on others. Thread-safe on devices of their own. Progress
 * may be NULL. Returns an exit code. */
int systole_layers_time(systole_layers_sum *out, const systole_layers *layers,
                        systole_device *device);

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
