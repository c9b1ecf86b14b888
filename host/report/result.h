/* One measured run, as it is shown everywhere: JSON, CSV, tables and figures. */
#ifndef SYSTOLE_REPORT_RESULT_H
#define SYSTOLE_REPORT_RESULT_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "report/explain.h"
#include "systole/energy.h"
#include "systole/systole.h"

typedef struct systole_result {
  char device[64];
  char workload[16]; /* "gemm", "mlp", "conv", a network */
  char label[48];    /* which product of the workload: "512 x 512 x 512", "layer 1" */
  int64_t m, n,
      k;        /* a convolution's: output pixels, output channels, kernel x channels */
  int has_conv; /* 1: the sizes below say what it was */
  systole_conv2d conv;           /* its pointers mean nothing here */
  int64_t out_height, out_width; /* of its output */
  int has_seed;
  uint64_t seed;
  int checked;
  uint64_t mismatches;            /* valid when checked */
  const char *checked_by;         /* "cpu", "plain", "freivalds"; NULL when not checked */
  systole_geometry geometry;      /* dim 0: no array */
  systole_stats stats;            /* of the run with the median wall time */
  int repeats;                    /* timed runs */
  double wall_low_s, wall_high_s; /* quartiles over the repeats; 0 when repeats is 1 */
  int threads;                    /* 0: does not apply */
  double peak_gops;               /* 0: not known */
  systole_kind peak_kind;
  double bandwidth_gbs; /* of reading the weights' bytes, measured; 0: not known */
  const char *peak_instruction; /* NULL: does not apply */
  int int8_results;             /* 1: requantised */
  systole_format format;        /* what was multiplied */
  /* Of float formats, when checked: the largest |error| of an element over the norms of
   * its row of A and column of B, and what it may be (mismatches counts those beyond). */
  double largest_error, error_bound;
  systole_explanation explanation;
  int has_energy;               /* 1: windows of rest and work were measured */
  systole_energy_report energy; /* stats.power_w and energy_j are then theirs */
} systole_result;

/* "measured", "modelled", "published", "assumed", "estimate"; NULL for UNKNOWN. */
const char *systole_kind_word(systole_kind kind);

/* What can be said of all results in a sentence: "All 12 results are exact, bit for bit".
 * Float formats are never exact, but right within the rounding of their format. Returns
 * how many are wrong. */
size_t systole_results_verdict(char *out, size_t size, const systole_result *results,
                               size_t count);
/* "exact", "within rounding", "3 wrong", "not checked". */
void systole_result_verdict(char *out, size_t size, const systole_result *result);

/* What a figure made of two others is: the weaker of their kinds, in the order measured,
 * published, modelled, assumed, estimate; UNKNOWN when one of them is. */
systole_kind systole_kind_weaker(systole_kind a, systole_kind b);

/* "GOP/s" of int8, "GFLOP/s" of floats. */
const char *systole_result_unit(const systole_result *result);

/* GOP/s/W at the nominal power and its bounds; kind UNKNOWN without a power figure. */
systole_bounds systole_result_efficiency(const systole_result *result);

/* 1e9 operations per second of the process's CPU time, over the same span as wall_s; 0
 * when it is not known. On a machine with other work this is the steadier figure. */
double systole_result_per_cpu_second(const systole_result *result);

/* Percent of the peak, 0 ... 100; negative when the peak is not known. */
double systole_result_percent_of_peak(const systole_result *result);

/* Percent of bandwidth_gbs at which a product without counted traffic moved its operands
 * and results, each once; negative when it is not known. */
double systole_result_percent_of_bandwidth(const systole_result *result);

/* Operations per byte of device memory: of the traffic that was counted, or, where
 * nothing counts it, of the least traffic a product can have (each operand once).
 * *counted says which. 0 when there is no traffic. */
double systole_result_intensity(const systole_result *result, int *counted);

/* A result that came from a simulated clock: cycles are exact, the time is modelled. */
int systole_result_is_modelled(const systole_result *result);

/* The ledger as an array, in the order of the contract. */
enum { SystoleLedgerParts = 8 };
const char *systole_ledger_name(int part);
/* What a course would say about it, one sentence. */
const char *systole_ledger_meaning(int part);
uint64_t systole_ledger_part(const systole_ledger *ledger, int part);

/* The object of the command line's contract; a figure that is not known is absent. NULL
 * when memory is exhausted. */
cJSON *systole_result_json(const systole_result *result);

/* Adds a whole number exactly: a double would round above 2^53. Returns 1 on success. */
int systole_json_u64(cJSON *object, const char *key, uint64_t value);

#endif
