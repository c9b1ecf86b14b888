/* Designs of a sweep, and how they are shown. */
#ifndef SYSTOLE_CLI_SWEEP_H
#define SYSTOLE_CLI_SWEEP_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "systole/systole.h"

enum { SystoleSweepMemory = 96, SystoleSweepDesigns = 4096 };

/* A machine, and what a workload costs on it. */
typedef struct systole_design {
  int dim;
  double clock_mhz;
  char memory[SystoleSweepMemory]; /* as systole_axi_ports reads it */
  char port[32];                   /* the same for people: "4.8 GB/s", "hbm2" */
  uint32_t ub_rows, acc_rows;      /* 0: as the RTL of that size has them */
  systole_geometry geometry;
  int done;      /* 1: what follows is known */
  char why[256]; /* it cannot be built or used so; "": it can */
  int within;    /* 1: inside all limits */
  uint64_t macs, cycles;
  double seconds, utilisation;
  systole_ledger ledger;
  systole_bounds energy_j, power_w; /* of all of the workload; average */
} systole_design;

/* What a design may have at most; 0: no limit. */
typedef struct systole_sweep_limits {
  double power_w, ms, mj;
  uint64_t macs, dsp;
} systole_sweep_limits;

typedef struct systole_sweep {
  const char *workload, *title, *technology;
  systole_design *designs;
  size_t count;
  const systole_design *best; /* NULL: none is within the limits */
  const char *best_by;        /* "time", "energy" or "product" */
  systole_sweep_limits limits;
} systole_sweep;

/* DSP48E2 that Yosys maps the plain array and its activation unit to: docs/fpga.md. */
uint64_t systole_design_dsps(const systole_design *design);

double systole_design_gops(const systole_design *design);

void systole_sweep_show(const systole_sweep *sweep);
void systole_sweep_csv(FILE *file, const systole_sweep *sweep);
cJSON *systole_sweep_json(const systole_sweep *sweep); /* NULL: out of memory */

/* Draws time over energy into `folder`; 0 when it cannot, and why. */
int systole_sweep_draw(const systole_sweep *sweep, const char *folder, char *why,
                       size_t why_size);

#endif
