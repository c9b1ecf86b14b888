#include "engine/accelerator/run.h"

#include <string.h>

#include "energy/energy.h"
#include "program/check.h"
#include "support/clock.h"
#include "support/error.h"

enum {
  kSliceMs = 50
}; /* between two looks at progress: fluent, and far above a call's cost */

static systole_status read_counter(const systole_run_context *context, int index,
                                   uint64_t *value) {
  uint32_t offset = (uint32_t)(SYSTOLE_REG_COUNTERS + 8 * index), low = 0, high = 0;
  systole_status status = context->ops->read_register(context->card, offset, &low);
  if (status == SYSTOLE_OK) {
    status = context->ops->read_register(context->card, offset + 4, &high);
  }
  *value = (uint64_t)high << 32 | low;
  return status;
}

/* After a run that has not ended by itself, or has left the kernel busy. The story of the
 * failure stays, with a word more when the card cannot be made usable. */
static systole_status give_up(const systole_run_context *context, systole_status status) {
  if (context->ops->reset == NULL) {
    return systole_fail_in(status,
                           "the device must be reset or reopened before its next run");
  }
  char story[1024];
  strncpy(story, systole_last_error(), sizeof story - 1);
  story[sizeof story - 1] = 0;
  if (context->ops->reset(context->card) != SYSTOLE_OK) {
    return systole_fail(status, "%s; the reset after it failed too: %s", story,
                        systole_last_error());
  }
  return systole_fail(status, "%s", story);
}

/* The error register as a status and a sentence; SYSTOLE_OK when it is clear. */
static systole_status judge(const systole_run_context *context,
                            const systole_launch *launch) {
  const systole_card_ops *ops = context->ops;
  uint32_t error = 0, index = 0, detail = 0, control = 0;
  systole_status status =
      ops->read_register(context->card, SYSTOLE_REG_ERROR_CODE, &error);
  if (status == SYSTOLE_OK) {
    status = ops->read_register(context->card, SYSTOLE_REG_ERROR_INDEX, &index);
  }
  if (status == SYSTOLE_OK) {
    status = ops->read_register(context->card, SYSTOLE_REG_ERROR_DETAIL, &detail);
  }
  if (status == SYSTOLE_OK) {
    status = ops->read_register(context->card, SYSTOLE_REG_CONTROL, &control);
  }
  int code = (int)(error & 0xFFu), unit = (int)(error >> 8 & 0xFFu);
  if (status != SYSTOLE_OK || code == SYSTOLE_ERROR_NONE) return status;

  systole_instruction instruction;
  int known = index < launch->instructions &&
              ops->read(context->card, SYSTOLE_PORT_GMEM1,
                        launch->program + (uint64_t)index * SYSTOLE_INSTRUCTION_BYTES,
                        instruction.bytes, sizeof instruction.bytes) == SYSTOLE_OK;
  char sentence[512];
  systole_error_sentence(sentence, sizeof sentence, code, unit, index, detail,
                         known ? &instruction : NULL, context->geometry);
  status = systole_fail(SYSTOLE_ERR_DEVICE, "%s", sentence);
  int idle = (int)(control >> 2 & 1u);
  return idle && code != SYSTOLE_ERROR_MEMORY ? status : give_up(context, status);
}

/* Waits until the run has ended. */
static systole_status wait_for(const systole_run_context *context,
                               const systole_launch *launch,
                               const systole_run_share *share) {
  uint64_t dispatched = 0;
  double moved_at = systole_wall_seconds();
  for (;;) {
    int done = 0;
    systole_status status = context->ops->wait(context->card, kSliceMs, &done);
    if (status != SYSTOLE_OK) return give_up(context, status);
    if (done) return SYSTOLE_OK;

    uint64_t now = 0;
    status = read_counter(context, SYSTOLE_COUNTER_INSTRUCTIONS, &now);
    if (status != SYSTOLE_OK) return give_up(context, status);
    double wall = systole_wall_seconds();
    if (now != dispatched) moved_at = wall;
    dispatched = now;
    if (context->timeout_ms > 0 && wall - moved_at > 1e-3 * context->timeout_ms) {
      return give_up(
          context, systole_fail(SYSTOLE_ERR_TIMEOUT,
                                "no instruction was started for %u ms, after %llu of %u",
                                context->timeout_ms, (unsigned long long)dispatched,
                                launch->instructions));
    }
    if (context->progress != NULL) {
      double part = (double)dispatched / launch->instructions;
      if (part > 1.0) part = 1.0;
      uint64_t macs = share->before + (uint64_t)(part * (double)share->here);
      if (context->progress(context->user, macs, share->total) != 0) {
        return give_up(
            context, systole_fail(SYSTOLE_ERR_INTERRUPTED,
                                  "interrupted after %llu of %u instructions",
                                  (unsigned long long)dispatched, launch->instructions));
      }
    }
  }
}

systole_status systole_run_once(const systole_run_context *context,
                                const systole_launch *launch,
                                const systole_run_share *share,
                                systole_run_totals *totals) {
  double wall = systole_wall_seconds();
  double cpu = context->ops->run_cpu_seconds(context->card);
  systole_status status = context->ops->start(context->card, launch);
  if (status == SYSTOLE_OK) status = wait_for(context, launch, share);
  totals->wall_s += systole_wall_seconds() - wall;
  totals->sim_cpu_s += context->ops->run_cpu_seconds(context->card) - cpu;
  if (status == SYSTOLE_OK) status = judge(context, launch);
  for (int i = 0; i < SYSTOLE_COUNTERS && status == SYSTOLE_OK; i++) {
    uint64_t value = 0;
    status = read_counter(context, i, &value);
    totals->counters[i] += value;
  }
  return status;
}

/* What was asked for, else what the card is built in, else the default of its kind. */
static const char *technology_of(const systole_run_context *context, int simulated) {
  const systole_card_ops *ops = context->ops;
  const char *built = ops->technology != NULL ? ops->technology(context->card) : NULL;
  if (context->technology != NULL) return context->technology;
  return built != NULL ? built : systole_technology_default(simulated);
}

void systole_run_fill_stats(systole_stats *stats, const systole_run_context *context,
                            const systole_run_totals *totals, uint64_t macs) {
  const systole_geometry *geometry = context->geometry;
  const uint64_t *c = totals->counters;
  uint64_t row = (uint64_t)geometry->dim;
  stats->macs = macs;
  stats->has_cycles = 1;
  stats->timing_only = context->timing_only;
  stats->cycles = c[SYSTOLE_COUNTER_CYCLES];
  stats->clock_mhz = context->ops->clock_mhz(context->card, &stats->clock_kind);
  stats->memory = context->ops->memory_name(context->card);
  stats->ledger.active = c[SYSTOLE_COUNTER_ACTIVE];
  stats->ledger.start = c[SYSTOLE_COUNTER_START];
  stats->ledger.drain = c[SYSTOLE_COUNTER_DRAIN];
  stats->ledger.output_stall = c[SYSTOLE_COUNTER_OUTPUT_STALL];
  stats->ledger.input_stall = c[SYSTOLE_COUNTER_INPUT_STALL];
  stats->ledger.weight_stall = c[SYSTOLE_COUNTER_WEIGHT_STALL];
  stats->ledger.weight_shift = c[SYSTOLE_COUNTER_WEIGHT_SHIFT];
  stats->ledger.other = c[SYSTOLE_COUNTER_OTHER];
  stats->zero_macs = c[SYSTOLE_COUNTER_ZERO_MACS];
  stats->ub_read_bytes = c[SYSTOLE_COUNTER_UB_READS] * row;
  stats->ub_write_bytes = c[SYSTOLE_COUNTER_UB_WRITES] * row;
  stats->weight_bytes = c[SYSTOLE_COUNTER_WEIGHT_ROWS] * row;
  stats->acc_read_bytes = c[SYSTOLE_COUNTER_ACC_READS] * row * sizeof(int32_t);
  /* Each row that enters the array leaves it once, into the accumulators. */
  stats->acc_write_bytes = c[SYSTOLE_COUNTER_ACTIVE] * row * sizeof(int32_t);
  stats->gmem0_read_bytes = c[SYSTOLE_COUNTER_GMEM0_READ_BYTES];
  stats->gmem0_write_bytes = c[SYSTOLE_COUNTER_GMEM0_WRITE_BYTES];
  stats->gmem1_read_bytes = c[SYSTOLE_COUNTER_GMEM1_READ_BYTES];
  stats->dram_read_bytes = stats->gmem0_read_bytes + stats->gmem1_read_bytes;
  stats->dram_write_bytes = stats->gmem0_write_bytes;
  stats->instructions = c[SYSTOLE_COUNTER_INSTRUCTIONS];
  const int simulated = systole_card_simulates(context->ops, context->card);
  stats->sim_cpu_s = simulated ? totals->sim_cpu_s : 0.0;
  stats->kernel = "weight-stationary";
  if (stats->cycles > 0) {
    stats->utilisation =
        (double)macs / ((double)row * (double)row * (double)stats->cycles);
  }
  if (simulated && stats->clock_mhz > 0.0) {
    stats->seconds = (double)stats->cycles / (stats->clock_mhz * 1e6);
  } else {
    stats->seconds = totals->wall_s;
  }
  if (stats->seconds > 0.0) stats->gops = 2e-9 * (double)macs / stats->seconds;
  stats->technology = technology_of(context, simulated);
  systole_energy_accelerator(stats, geometry, &stats->power_w, &stats->energy_j);
}
