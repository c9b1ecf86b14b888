/* The accelerator without its RTL: the same command streams, the same bits in memory, and
 * the cycles that the units' laws give (host/program/forecast.h). Behind the card
 * `model`, and for whoever wants the accelerator inside a larger simulation.
 *
 * Failures return a status with a sentence (systole_last_error). */
#ifndef SYSTOLE_MODEL_H
#define SYSTOLE_MODEL_H

#include <stdint.h>

#include "model/execute.h"
#include "program/forecast.h"
#include "systole/systole.h"

typedef struct systole_model systole_model;

typedef struct systole_model_options {
  systole_geometry geometry; /* dim 4 ... 1024 */
  const char *memory;        /* as systole_axi_ports reads it; NULL: ideal */
  double clock_mhz;          /* 0: 300 */
  uint64_t memory_bytes;     /* behind each port; 0: 4 GiB */
  int portable;              /* 1: no kernel for this machine's instructions */
  int timing_only;           /* 1: cycles without data; memory keeps its contents, and
                              * zero_macs stay 0 */
  int every_event;           /* 1: what repeats is followed as well, not skipped */
  /* Device memory is elsewhere: none of its own, so no alloc and no at. Kept. */
  const systole_model_bus *bus;
  systole_kind clock_kind; /* UNKNOWN: ASSUMED */
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

/* For whoever lets time pass itself, in place of systole_model_run: the cycles of the run
 * that was started, before it is computed (0: it will end with an error) ... */
systole_status systole_model_measure(systole_model *model, uint64_t *cycles);
/* ... and its instructions, as far as `part` (0 ... 1) of all of them; *done as below. */
systole_status systole_model_run_to(systole_model *model, double part, int *done);

/* Goes on for about `slice_ms`; *done is 1 when the run has ended, well or badly (see
 * RegErrorCode). */
systole_status systole_model_run(systole_model *model, uint32_t slice_ms, int *done);

/* On a bus, in place of systole_model_run: the whole run against a clock, with bursts
 * that `time` answers (forecast.h) and data that the model's bus has when they have come.
 * When `time` abandons it, or an error ends it, the counters hold the cycles until then.
 * The run is over in any case; a status other than SYSTOLE_OK is this machine's. */
systole_status systole_model_run_timed(systole_model *model,
                                       const systole_forecast_bus *time);
/* Inside of it: computes as far as data are there. *failed is 1 when an error was found,
 * and the run should be abandoned. */
systole_status systole_model_compute(systole_model *model, int *failed);
/* Inside of it: nothing is computed that should be; units wait for what never comes. No
 * effect once there is an error. */
void systole_model_starved(systole_model *model);
/* A response that came after the data had gone: the run's error, if it is the first. */
void systole_model_fail(systole_model *model, int code, int unit, uint32_t index,
                        uint64_t address);

/* Forgets a run that was not finished. */
void systole_model_stop(systole_model *model);

double systole_model_clock_mhz(const systole_model *model);
systole_kind systole_model_clock_kind(const systole_model *model);
int systole_model_timing_only(const systole_model *model);
/* The preset's name, and what was changed behind it; as long as the model lives. */
const char *systole_model_memory_name(const systole_model *model);
const systole_memory_timing *systole_model_timing(const systole_model *model);
double systole_model_cpu_seconds(const systole_model *model);      /* inside runs */
const char *systole_model_kernel_name(const systole_model *model); /* who multiplies */

#endif
