/* The accelerator without its RTL: the same command streams, the same bits in memory, and
 * the cycles that the units' laws give (host/program/forecast.h). Behind the card
 * `model`, and for whoever wants the accelerator inside a larger simulation.
 *
 * Failures return a status with a sentence (systole_last_error). */
#ifndef SYSTOLE_MODEL_H
#define SYSTOLE_MODEL_H

#include <stdint.h>

#include "systole/systole.h"

typedef struct systole_model systole_model;

typedef struct systole_model_options {
  systole_geometry geometry; /* dim 4 ... 1024 */
  const char *memory;        /* preset; NULL: ideal */
  double clock_mhz;          /* 0: 300 */
  uint64_t memory_bytes;     /* behind each port; 0: 4 GiB */
  int portable;              /* 1: no kernel for this machine's instructions */
  int timing_only;           /* 1: cycles without data; memory keeps its contents */
} systole_model_options;

/* The geometry that the RTL of this array size has when nothing else is asked for. */
systole_geometry systole_model_geometry(int dim);

systole_status systole_model_create(systole_model **out,
                                    const systole_model_options *options);
void systole_model_free(systole_model *model); /* accepts NULL */

/* Device memory, as in host/card/card.h. */
systole_status systole_model_alloc(systole_model *model, systole_port port,
                                   uint64_t bytes, uint64_t *address);
void systole_model_release(systole_model *model, systole_port port, uint64_t address);
/* `bytes` at a device address, to be read and written until they are released.
 * SYSTOLE_ERR_DEVICE when they are not all inside the port's memory. */
systole_status systole_model_at(systole_model *model, systole_port port, uint64_t address,
                                uint64_t bytes, uint8_t **data);

/* A register, by the offsets of systole_isa.h. */
uint32_t systole_model_register(const systole_model *model, uint32_t offset);

/* Starts a run; SYSTOLE_ERR_DEVICE if one is going. */
systole_status systole_model_start(systole_model *model, uint64_t program,
                                   uint64_t weights, uint64_t activations,
                                   uint32_t instructions);

/* Goes on for about `slice_ms`; *done is 1 when the run has ended, well or badly (see
 * RegErrorCode). */
systole_status systole_model_run(systole_model *model, uint32_t slice_ms, int *done);

/* Forgets a run that was not finished. */
void systole_model_stop(systole_model *model);

double systole_model_clock_mhz(const systole_model *model);
const char *systole_model_memory_name(const systole_model *model);
double systole_model_cpu_seconds(const systole_model *model);      /* inside runs */
const char *systole_model_kernel_name(const systole_model *model); /* who multiplies */

#endif
