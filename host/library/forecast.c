/* systole_forecast_gemm: the same planning and scheduling as a run, and the forecast of
 * the command stream in the place of the card. */
#include "library/forecast.h"

#include <string.h>

#include "library/check.h"
#include "program/program.h"
#include "program/timing.h"
#include "support/error.h"
#include "support/memory.h"

void systole_forecast_add(systole_forecast *sum, const systole_forecast *one,
                          uint64_t times) {
  sum->cycles += times * one->cycles;
  sum->ledger.active += times * one->ledger.active;
  sum->ledger.start += times * one->ledger.start;
  sum->ledger.drain += times * one->ledger.drain;
  sum->ledger.output_stall += times * one->ledger.output_stall;
  sum->ledger.input_stall += times * one->ledger.input_stall;
  sum->ledger.weight_stall += times * one->ledger.weight_stall;
  sum->ledger.weight_shift += times * one->ledger.weight_shift;
  sum->ledger.other += times * one->ledger.other;
  sum->gmem0_read_bytes += times * one->gmem0_read_bytes;
  sum->gmem0_write_bytes += times * one->gmem0_write_bytes;
  sum->gmem1_read_bytes += times * one->gmem1_read_bytes;
  sum->instructions += times * one->instructions;
}

typedef struct product {
  const systole_scenario *scenario;
  systole_weights_layout layout;
  systole_memory_timing memory;
} product;

static systole_gemm_spec spec_of(const product *p, int64_t rows, int64_t blocks) {
  systole_gemm_spec spec = {0};
  spec.m = rows;
  spec.n_blocks = blocks;
  spec.requantise = p->scenario->int8_results;
  spec.bias = p->scenario->bias;
  spec.clamp_low = -128;
  spec.clamp_high = 127;
  return spec;
}

static systole_status forecast_run(systole_forecast *sum, const product *p, int64_t rows,
                                   int64_t blocks, uint64_t times) {
  if (rows == 0 || blocks == 0 || times == 0) return SYSTOLE_OK;
  const systole_geometry *geometry = &p->scenario->geometry;
  systole_gemm_spec spec = spec_of(p, rows, blocks);
  systole_program *program = NULL;
  systole_forecast one;
  systole_status status =
      systole_program_make_for(&program, geometry, &p->layout, &spec, &p->memory);
  if (status == SYSTOLE_OK) {
    status = systole_forecast_make(&one, program->instructions, program->count, geometry,
                                   &p->memory);
  }
  if (status == SYSTOLE_OK) systole_forecast_add(sum, &one, times);
  systole_program_free(program);
  return status;
}

/* Cut into runs as the accelerator cuts it, device memory apart. */
static systole_status forecast_product(systole_forecast *sum, const product *p) {
  const systole_scenario *s = p->scenario;
  systole_portion portion = {s->m, p->layout.n_blocks};
  systole_plan plan;
  for (;;) {
    systole_gemm_spec spec = spec_of(p, portion.rows, portion.blocks);
    systole_status status = systole_plan_make(&plan, &s->geometry, &p->layout, &spec);
    if (status == SYSTOLE_ERR_UNSUPPORTED) return status;
    if (status == SYSTOLE_OK && systole_portion_fits(&plan, SYSTOLE_PROGRAM_MAX_STEPS))
      break;
    if (!systole_portion_shrink(&portion, s->geometry.dim)) {
      return systole_fail(SYSTOLE_ERR_UNSUPPORTED, "K = %lld is more than one run can do",
                          (long long)s->k);
    }
  }
  int64_t rows = s->m % portion.rows, blocks = p->layout.n_blocks % portion.blocks;
  uint64_t downs = (uint64_t)(s->m / portion.rows);
  uint64_t rights = (uint64_t)(p->layout.n_blocks / portion.blocks);
  systole_status status =
      forecast_run(sum, p, portion.rows, portion.blocks, downs * rights);
  if (status == SYSTOLE_OK) status = forecast_run(sum, p, portion.rows, blocks, downs);
  if (status == SYSTOLE_OK) status = forecast_run(sum, p, rows, portion.blocks, rights);
  if (status == SYSTOLE_OK) status = forecast_run(sum, p, rows, blocks, 1);
  return status;
}

systole_status systole_scenario_check(const systole_scenario *s) {
  if (s->version < 1 || s->version > SYSTOLE_SCENARIO_VERSION) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the scenario has version %u, this library knows 1 to %d: "
                        "initialise it with SYSTOLE_SCENARIO_INIT",
                        s->version, SYSTOLE_SCENARIO_VERSION);
  }
  const systole_geometry *g = &s->geometry;
  int dim = g->dim, axi = g->axi_bytes;
  if (dim < 2 || dim > 1024 || (dim & (dim - 1)) != 0 || axi < 4 || axi > 64 ||
      (axi & (axi - 1)) != 0 || axi > 2 * dim || g->acc_rows < 2 ||
      g->acc_rows % 2 != 0 || g->ub_rows < 2 || g->weight_tiles < 2) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "there is no array of %d x %d with ports of %d bytes, %u buffer "
                        "rows, %u accumulator rows and %u weight tiles: array and ports "
                        "are powers of two, ports 4 to 64 bytes and at most 2 rows, "
                        "accumulators two equal halves",
                        dim, dim, axi, g->ub_rows, g->acc_rows, g->weight_tiles);
  }
  return SYSTOLE_OK;
}

static systole_status check_sizes(const systole_scenario *s) {
  systole_status status = systole_check_size("M", s->m);
  if (status == SYSTOLE_OK) status = systole_check_size("N", s->n);
  if (status == SYSTOLE_OK) status = systole_check_size("K", s->k);
  if (status == SYSTOLE_OK) status = systole_check_product(s->m, s->n, s->k);
  return status;
}

void systole_forecast_fill(systole_stats *out, const systole_forecast *f,
                           const systole_scenario *scenario, uint64_t macs) {
  double dim = scenario->geometry.dim;
  out->macs = macs;
  out->has_cycles = 1;
  out->cycles = f->cycles;
  out->ledger = f->ledger;
  out->clock_mhz = scenario->clock_mhz > 0.0 ? scenario->clock_mhz : 300.0;
  out->clock_kind = SYSTOLE_KIND_ASSUMED;
  out->gmem0_read_bytes = f->gmem0_read_bytes;
  out->gmem0_write_bytes = f->gmem0_write_bytes;
  out->gmem1_read_bytes = f->gmem1_read_bytes;
  out->dram_read_bytes = f->gmem0_read_bytes + f->gmem1_read_bytes;
  out->dram_write_bytes = f->gmem0_write_bytes;
  out->instructions = f->instructions;
  if (f->cycles == 0) return;
  out->utilisation = (double)macs / (dim * dim * (double)f->cycles);
  out->seconds = (double)f->cycles / (out->clock_mhz * 1e6);
  out->gops = 2e-9 * (double)macs / out->seconds;
}

systole_status systole_forecast_gemm(systole_stats *out,
                                     const systole_scenario *scenario) {
  if (out == NULL || scenario == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "a forecast needs a scenario and a place for its figures");
  }
  memset(out, 0, sizeof *out);
  systole_status status = systole_scenario_check(scenario);
  if (status == SYSTOLE_OK) status = check_sizes(scenario);
  product p = {.scenario = scenario};
  if (status == SYSTOLE_OK) {
    status = systole_memory_timing_of(&p.memory, scenario->memory,
                                      scenario->geometry.axi_bytes, scenario->clock_mhz);
  }
  if (status != SYSTOLE_OK) return status;
  systole_forecast f;
  memset(&f, 0, sizeof f);
  int nothing = scenario->m == 0 || scenario->n == 0 || scenario->k == 0;
  if (!nothing) {
    status = systole_weights_layout_make(&p.layout, scenario->geometry.dim,
                                         scenario->geometry.axi_bytes, scenario->n,
                                         scenario->k);
    if (status == SYSTOLE_OK) status = forecast_product(&f, &p);
    if (status != SYSTOLE_OK) return status;
  }
  systole_forecast_fill(
      out, &f, scenario,
      (uint64_t)scenario->m * (uint64_t)scenario->n * (uint64_t)scenario->k);
  if (nothing) return SYSTOLE_OK;
  double dim = scenario->geometry.dim;
  out->utilisation_ceiling = (double)scenario->n / ((double)p.layout.n_blocks * dim) *
                             (double)scenario->k / ((double)p.layout.k_blocks * dim);
  return SYSTOLE_OK;
}
