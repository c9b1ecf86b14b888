#include "report/explain.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../../sim/memory/axi_memory.h"

/* Less than this share of the cycles lost to anything but padding: the run is at its
 * peak.
 */
static const double kAtPeak = 0.03;
/* A candidate is worth telling when it lifts utilisation by this much, ... */
static const double kWorthwhile = 1.05;
/* ... and does not cost throughput. */
static const double kNoSlower = 0.98;
/* The smallest batch that comes this near to the best one is the one to try. */
static const double kNearBest = 0.95;
/* Useful MACs of the largest candidate: seconds of simulation, and milliseconds of
 * forecast. */
static const double kMostMacs = 4e9;
static const double kMostSteps = 4e5;

enum { kDevices = 8, kCandidates = 32 };

/* ---- the reason
 * ------------------------------------------------------------------------ */

typedef enum limit {
  kNothing,
  kWeights,
  kResults,
  kActivations,
  kBuffer,
  kSize,
  kPadding,
  kProgram,
  kLimits
} limit;

static const char *const limit_names[kLimits] = {"nothing",     "weights", "results",
                                                 "activations", "buffer",  "size",
                                                 "padding",     "program"};

/* Bytes that a port brings in a cycle: gmem0 (activations) or gmem1 (weights). */
static double port_rate(const systole_setup *setup, int port) {
  systole_axi_timing timing[2];
  double clock = setup->clock_mhz > 0 ? setup->clock_mhz : 300;
  if (setup->memory == NULL ||
      systole_axi_ports(timing, setup->memory, setup->geometry.axi_bytes, clock) != 0) {
    return setup->geometry.axi_bytes;
  }
  return (double)setup->geometry.axi_bytes * timing[port].rate_beats /
         timing[port].rate_cycles;
}

/* Of the slower port. */
static double slower_rate(const systole_setup *setup) {
  return fmin(port_rate(setup, 0), port_rate(setup, 1));
}

/* Rows a cycle that the shape wants of port B of the unified buffer: a load, and for int8
 * results a write and a read. */
static double buffer_rows(const systole_setup *setup, const systole_stats *stats) {
  double rows = (double)stats->gmem0_read_bytes;
  if (setup->int8_results) rows += 2 * (double)stats->gmem0_write_bytes;
  return rows / setup->geometry.dim / (double)stats->ledger.active;
}

/* Cycles lost to each reason. */
static limit find_limit(const systole_setup *setup, const systole_stats *stats) {
  const systole_ledger *l = &stats->ledger;
  double lost[kLimits] = {0};
  double ceiling = isfinite(stats->utilisation_ceiling) ? stats->utilisation_ceiling : 1;
  int buffer = setup->int8_results && buffer_rows(setup, stats) > 0.8;
  lost[kWeights] = (double)(l->weight_stall + l->weight_shift);
  lost[buffer ? kBuffer : kResults] += (double)l->output_stall;
  lost[buffer ? kBuffer : kActivations] += (double)l->input_stall;
  lost[kSize] = (double)(l->start + l->drain);
  lost[kPadding] = (1 - ceiling) * (double)l->active;
  lost[kProgram] = (double)l->other;
  limit worst = kNothing;
  double most = kAtPeak * (double)stats->cycles;
  for (int i = 1; i < kLimits; i++) {
    if (lost[i] > most) {
      most = lost[i];
      worst = (limit)i;
    }
  }
  return worst;
}

/* 16 as "16", 2.5 as "2.5". */
static const char *plain(char out[24], double value) {
  snprintf(out, 24, value >= 9.95 || value == floor(value) ? "%.0f" : "%.1f", value);
  return out;
}

static void say_reason(char *out, size_t bytes, limit reason, const systole_setup *setup,
                       const systole_stats *stats) {
  const systole_ledger *l = &stats->ledger;
  double active = (double)l->active, rate = port_rate(setup, 0);
  int dim = setup->geometry.dim;
  char a[24], b[24], c[24];
  switch (reason) {
    case kWeights: {
      double rows = active * dim * dim / (double)stats->weight_bytes;
      double enters = port_rate(setup, 1) * setup->geometry.weight_ports;
      if (enters > dim) enters = dim; /* a row a cycle into the shadow registers */
      snprintf(out, bytes,
               "weights arrive at %s B/cycle, this shape needs %s: each %d x %d tile is "
               "used for %s row%s",
               plain(a, enters), plain(b, (double)stats->weight_bytes / active), dim, dim,
               plain(c, rows), rows < 1.05 ? "" : "s");
      break;
    }
    case kResults: {
      int64_t tiles = (setup->k + dim - 1) / dim;
      snprintf(
          out, bytes,
          "results leave at %s B/cycle, this shape makes %s: %s rows after only %" PRId64
          " tile%s of K",
          plain(a, rate), plain(b, (double)stats->gmem0_write_bytes / active),
          setup->int8_results ? "int8" : "int32", tiles, tiles == 1 ? "" : "s");
      break;
    }
    case kActivations:
      snprintf(out, bytes,
               "activations arrive at %s B/cycle, this shape needs %s: each row is used "
               "for few columns before it is fetched again",
               plain(a, rate), plain(b, (double)stats->gmem0_read_bytes / active));
      break;
    case kBuffer:
      snprintf(
          out, bytes,
          "the unified buffer's second port moves 1 row a cycle, this shape needs %s: "
          "rows come in, int8 results are written and read again",
          plain(a, buffer_rows(setup, stats)));
      break;
    case kSize:
      snprintf(out, bytes,
               "the run is short: %" PRIu64
               " cycles pass before the first row (program, weights and activations are "
               "on their way) and %" PRIu64
               " after the last (sums and results leave), %.0f %% of all",
               l->start, l->drain,
               100.0 * (double)(l->start + l->drain) / (double)stats->cycles);
      break;
    case kPadding:
      snprintf(out, bytes,
               "K = %" PRId64 " and N = %" PRId64
               " do not fill whole %d x %d tiles: at most %.0f %% of the array can do "
               "useful work",
               setup->k, setup->n, dim, dim, 100 * stats->utilisation_ceiling);
      break;
    case kProgram:
      snprintf(out, bytes,
               "the command stream itself is the limit: %" PRIu64
               " instructions for %" PRIu64 " cycles",
               stats->instructions, stats->cycles);
      break;
    default:
      snprintf(out, bytes, "the array is busy in %.1f %% of the cycles",
               100 * active / (double)stats->cycles);
  }
}

/* ---- candidates
 * -------------------------------------------------------------------------- */

typedef struct search {
  const systole_subject *subject;
  const systole_stats *stats;
  systole_advice found[kCandidates];
  int count;
  double work;
} search;

/* `work` is what m n k of a setup is to be multiplied by: the pixels of an image. */
static int affordable(const systole_setup *s, double work) {
  double dim = s->geometry.dim;
  double macs = work * (double)s->m * (double)s->n * (double)s->k;
  return macs <= kMostMacs && macs / (dim * dim) / 128 <= kMostSteps;
}

/* Forecasts a setup; returns 0 when it cannot be. */
static int judge(const search *s, systole_advice *advice) {
  systole_stats stats;
  if (!affordable(&advice->setup, s->work) ||
      s->subject->forecast(&stats, &advice->setup, s->subject->user) != SYSTOLE_OK ||
      stats.cycles == 0) {
    return 0;
  }
  advice->cycles = stats.cycles;
  advice->utilisation = stats.utilisation;
  advice->gops = stats.gops;
  return 1;
}

static int is_better(const search *s, const systole_advice *advice) {
  return advice->utilisation > kWorthwhile * s->stats->utilisation &&
         advice->gops > kNoSlower * s->stats->gops;
}

static void keep(search *s, const systole_advice *advice) {
  if (s->count < kCandidates && is_better(s, advice)) s->found[s->count++] = *advice;
}

static systole_advice change(const systole_setup *from, const char *what) {
  systole_advice advice = {0};
  advice.setup = *from;
  snprintf(advice.what, sizeof advice.what, "%s", what);
  return advice;
}

/* The smallest batch that is nearly as good as the best one. `from` may already differ
 * from the run; `what` and `say` are put before. Returns 1 when a batch was found. */
static int try_batch(const search *s, const systole_setup *from, const char *what,
                     const char *say, systole_advice *out) {
  systole_advice tried[24];
  int count = 0;
  double best = 0;
  int64_t m = s->subject->least_batch;
  while (m <= from->m) m *= 2;
  for (; count < 24 && m <= 65536; m *= 2) {
    systole_advice *advice = &tried[count];
    *advice = change(from, what);
    advice->setup.m = m;
    if (!judge(s, advice)) break;
    count++;
    double before = best;
    if (advice->utilisation > best) best = advice->utilisation;
    if (count > 2 && best < 1.01 * before) break;
  }
  for (int i = 0; i < count; i++) {
    if (tried[i].utilisation < kNearBest * best) continue;
    *out = tried[i];
    snprintf(out->say, sizeof out->say, "%s%s %" PRId64, say, s->subject->batch,
             out->setup.m);
    return 1;
  }
  return 0;
}

static int try_int8(const search *s, systole_advice *out) {
  const systole_subject *subject = s->subject;
  if (!subject->int8_possible || subject->setup.int8_results) return 0;
  *out = change(&subject->setup, "int8");
  out->setup.int8_results = 1;
  snprintf(out->say, sizeof out->say, "int8 results");
  return judge(s, out);
}

/* The fastest preset that is not slower than the ports. */
static void try_memory(search *s) {
  const char *now = s->subject->setup.memory;
  for (int i = 0; systole_axi_preset_name(i) != NULL; i++) {
    const char *name = systole_axi_preset_name(i);
    if (strcmp(name, now) == 0) continue;
    systole_advice advice = change(&s->subject->setup, "memory");
    advice.setup.memory = name;
    if (slower_rate(&advice.setup) <= slower_rate(&s->subject->setup)) continue;
    snprintf(advice.say, sizeof advice.say, "memory at %.0f B/cycle (%s)",
             slower_rate(&advice.setup), name);
    if (judge(s, &advice)) keep(s, &advice);
  }
}

static int64_t whole(int64_t value, int64_t dim) { return (value + dim - 1) / dim * dim; }

static void try_whole_tiles(search *s) {
  const systole_setup *run = &s->subject->setup;
  int64_t dim = run->geometry.dim, n = whole(run->n, dim), k = whole(run->k, dim);
  if (!s->subject->whole_tiles || (n == run->n && k == run->k)) return;
  systole_advice advice = change(run, n == run->n ? "k" : k == run->k ? "n" : "n and k");
  advice.setup.n = n;
  advice.setup.k = k;
  if (n == run->n) {
    snprintf(advice.say, sizeof advice.say, "K = %" PRId64 " (whole tiles)", k);
  } else if (k == run->k) {
    snprintf(advice.say, sizeof advice.say, "N = %" PRId64 " (whole tiles)", n);
  } else {
    snprintf(advice.say, sizeof advice.say, "K = %" PRId64 " and N = %" PRId64, k, n);
  }
  if (judge(s, &advice)) keep(s, &advice);
}

/* Other arrays that are here. */
static void try_devices(search *s) {
  systole_setup others[kDevices];
  if (s->subject->others == NULL) return;
  int count = s->subject->others(others, kDevices, s->subject->user);
  for (int i = 0; i < count; i++) {
    systole_advice advice = change(&s->subject->setup, "device");
    memcpy(advice.setup.device, others[i].device, sizeof advice.setup.device);
    advice.setup.geometry = others[i].geometry;
    snprintf(advice.say, sizeof advice.say, "%.60s", others[i].device);
    if (judge(s, &advice)) keep(s, &advice);
  }
}

/* Devices that would have to be built. */
static void try_hardware(search *s) {
  const systole_setup *run = &s->subject->setup;
  const systole_geometry *g = &run->geometry;
  systole_advice advice;
  int widest = 2 * g->dim < 64 ? 2 * g->dim : 64;
  if (2 * g->axi_bytes <= widest) {
    advice = change(run, "port");
    advice.setup.geometry.axi_bytes *= 2;
    snprintf(advice.say, sizeof advice.say, "ports of %d bytes", 2 * g->axi_bytes);
    advice.hardware = 1;
    if (judge(s, &advice)) keep(s, &advice);
  }
  if (g->weight_ports < 4) {
    advice = change(run, "weight_ports");
    advice.setup.geometry.weight_ports *= 2;
    snprintf(advice.say, sizeof advice.say, "%d weight ports", 2 * g->weight_ports);
    advice.hardware = 1;
    if (judge(s, &advice)) keep(s, &advice);
  }
  advice = change(run, "ub_rows");
  advice.setup.geometry.ub_rows *= 2;
  snprintf(advice.say, sizeof advice.say, "%u buffer rows", 2 * g->ub_rows);
  advice.hardware = 1;
  if (judge(s, &advice)) keep(s, &advice);
  advice = change(run, "acc_rows");
  advice.setup.geometry.acc_rows *= 2;
  snprintf(advice.say, sizeof advice.say, "%u accumulator rows", 2 * g->acc_rows);
  advice.hardware = 1;
  if (judge(s, &advice)) keep(s, &advice);
}

static void try_all(search *s, limit reason) {
  const systole_setup *run = &s->subject->setup;
  systole_advice batch, int8, both;
  int has_batch = try_batch(s, run, "batch", "", &batch), has_int8 = try_int8(s, &int8);
  if (has_batch) keep(s, &batch);
  if (has_int8) keep(s, &int8);
  if (has_int8 &&
      try_batch(s, &int8.setup, "batch and int8", "int8 results and ", &both)) {
    double single = int8.utilisation;
    if (has_batch && batch.utilisation > single) single = batch.utilisation;
    if (both.utilisation > kWorthwhile * single) keep(s, &both);
  }
  try_memory(s);
  try_whole_tiles(s);
  if (reason == kPadding || reason == kSize) try_devices(s);
  try_hardware(s);
}

/* What can be done here goes first, then what lifts utilisation most. */
static int comes_before(const systole_advice *a, const systole_advice *b) {
  if (a->hardware != b->hardware) return a->hardware < b->hardware;
  return a->utilisation > b->utilisation;
}

static void choose(systole_explanation *out, search *s) {
  for (int taken = 0; taken < SystoleAdvices && s->count > 0; taken++) {
    int best = 0;
    for (int i = 1; i < s->count; i++) {
      if (comes_before(&s->found[i], &s->found[best])) best = i;
    }
    /* Room for one piece of hardware after three things that can be done. */
    if (taken == SystoleAdvices - 1 && !s->found[best].hardware) {
      int other = best;
      for (int i = 0; i < s->count; i++) {
        if (s->found[i].hardware &&
            (!s->found[other].hardware ||
             s->found[i].utilisation > s->found[other].utilisation)) {
          other = i;
        }
      }
      best = other;
    }
    systole_advice *advice = &out->advice[out->count++];
    *advice = s->found[best];
    if (!advice->hardware && s->subject->command != NULL) {
      s->subject->command(advice->command, sizeof advice->command, &advice->setup,
                          s->subject->user);
    }
    s->found[best] = s->found[--s->count];
  }
}

/* "batch 64 lifts", "ports of 32 bytes would lift" */
static const char *verb(const systole_advice *advice) {
  const char *several[] = {" and ", "results", "ports", "rows"};
  if (advice->hardware) return "would lift";
  for (size_t i = 0; i < sizeof several / sizeof several[0]; i++) {
    if (strstr(advice->say, several[i]) != NULL) return "lift";
  }
  return "lifts";
}

/* "batch 64 lifts utilisation from 0.39 to 0.94, int8 results to 0.81" */
static void say_advice(char *out, size_t bytes, const systole_explanation *e,
                       double now) {
  if (e->count == 0) {
    snprintf(out, bytes, "nothing that was tried lifts it by much");
    return;
  }
  const systole_advice *first = &e->advice[0], *second = NULL;
  for (int i = 1; i < e->count && second == NULL; i++) {
    /* Another way, not a part of the first, and not a small thing beside it. */
    const systole_advice *a = &e->advice[i];
    if (strstr(first->what, a->what) == NULL &&
        a->utilisation - now > 0.25 * (first->utilisation - now)) {
      second = a;
    }
  }
  int used = snprintf(out, bytes, "%s %s utilisation from %.3g to %.3g", first->say,
                      verb(first), now, first->utilisation);
  if (second != NULL && used > 0 && (size_t)used < bytes) {
    snprintf(out + used, bytes - (size_t)used, ", %s to %.3g", second->say,
             second->utilisation);
  }
}

void systole_explain(systole_explanation *out, const systole_subject *subject,
                     const systole_stats *stats) {
  memset(out, 0, sizeof *out);
  const systole_setup *setup = &subject->setup;
  if (!stats->has_cycles || stats->cycles == 0 || stats->ledger.active == 0) return;
  limit reason = find_limit(setup, stats);
  char why[320], what[188];
  snprintf(out->limit, sizeof out->limit, "%s", limit_names[reason]);
  say_reason(why, sizeof why, reason, setup, stats);
  if (reason == kNothing) {
    snprintf(out->sentence, sizeof out->sentence, "%s: nothing holds it back", why);
    return;
  }
  if (setup->memory == NULL) {
    snprintf(out->sentence, sizeof out->sentence, "%s", why);
    return;
  }
  search s = {.subject = subject, .stats = stats};
  s.work = (double)stats->macs / ((double)setup->m * (double)setup->n * (double)setup->k);
  try_all(&s, reason);
  choose(out, &s);
  say_advice(what, sizeof what, out, stats->utilisation);
  snprintf(out->sentence, sizeof out->sentence, "%s: %s", why, what);
}
