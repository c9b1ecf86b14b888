#include "distance.h"

#include <inttypes.h>
#include <math.h>

static const double edges[DISTANCE_BUCKETS - 1] = {0,    0.001, 0.003, 0.01,
                                                   0.03, 0.05,  0.1};

enum { PARTS = 8 };
static const char *const part_names[PARTS] = {"active", "start",  "drain",       "output",
                                              "input",  "weight", "weightshift", "other"};

static void parts_of(uint64_t out[PARTS], const systole_ledger *l) {
  const uint64_t parts[PARTS] = {l->active,       l->start,       l->drain,
                                 l->output_stall, l->input_stall, l->weight_stall,
                                 l->weight_shift, l->other};
  for (int i = 0; i < PARTS; i++) out[i] = parts[i];
}

static int same_counts(const systole_stats *a, const systole_stats *b) {
  return a->gmem0_read_bytes == b->gmem0_read_bytes &&
         a->gmem0_write_bytes == b->gmem0_write_bytes &&
         a->gmem1_read_bytes == b->gmem1_read_bytes &&
         a->instructions == b->instructions && a->zero_macs == b->zero_macs &&
         a->ub_read_bytes == b->ub_read_bytes && a->ub_write_bytes == b->ub_write_bytes &&
         a->acc_read_bytes == b->acc_read_bytes && a->weight_bytes == b->weight_bytes;
}

int distance_add(distance *d, const systole_stats *card, const systole_stats *rtl,
                 uint64_t seed) {
  const double cycles = (double)rtl->cycles;
  const double off = fabs((double)card->cycles - cycles) / cycles;
  uint64_t x[PARTS], y[PARTS];
  double moved = 0;
  int bucket = 0;
  while (bucket < DISTANCE_BUCKETS - 1 && off > edges[bucket]) bucket++;
  d->in[bucket]++;
  d->runs++;
  d->sum += off;
  if (off > d->worst) {
    d->worst = off;
    d->worst_seed = seed;
  }
  parts_of(x, &card->ledger);
  parts_of(y, &rtl->ledger);
  for (int i = 0; i < PARTS; i++) moved += fabs((double)x[i] - (double)y[i]);
  d->same_ledger += moved == 0;
  d->parts_sum += moved / cycles;
  if (moved / cycles > d->parts_worst) {
    d->parts_worst = moved / cycles;
    d->parts_seed = seed;
  }
  const int counts = same_counts(card, rtl);
  d->same_counts += counts;
  if (!counts) d->counts_seed = seed;
  return off == 0 && moved == 0 && counts;
}

double distance_mean(const distance *d) { return d->runs == 0 ? 0 : d->sum / d->runs; }
double distance_parts(const distance *d) {
  return d->runs == 0 ? 0 : d->parts_sum / d->runs;
}

void distance_print(FILE *out, const distance *d, const char *what) {
  (void)fprintf(out, "%s beside the RTL, %d runs: cycles equal in %d", what, d->runs,
                d->in[0]);
  for (int b = 1; b < DISTANCE_BUCKETS - 1; b++) {
    if (d->in[b] > 0)
      (void)fprintf(out, ", within %g %% in %d", 100 * edges[b], d->in[b]);
  }
  if (d->in[DISTANCE_BUCKETS - 1] > 0) {
    (void)fprintf(out, ", beyond in %d", d->in[DISTANCE_BUCKETS - 1]);
  }
  (void)fprintf(out, "; mean %.4f %%, worst %.3f %%", 100 * distance_mean(d),
                100 * d->worst);
  if (d->worst > 0) (void)fprintf(out, " (seed %" PRIu64 ")", d->worst_seed);
  (void)fprintf(out, "\n  ledger equal in %d, else %.4f %% of cycles, worst %.3f %%",
                d->same_ledger, 100 * distance_parts(d), 100 * d->parts_worst);
  if (d->parts_worst > 0) (void)fprintf(out, " (seed %" PRIu64 ")", d->parts_seed);
  (void)fprintf(out, "; other counters equal in %d", d->same_counts);
  if (d->same_counts < d->runs) (void)fprintf(out, " (seed %" PRIu64 ")", d->counts_seed);
  (void)fprintf(out, "\n");
}

void distance_print_ledgers(FILE *out, const systole_stats *card,
                            const systole_stats *rtl) {
  uint64_t x[PARTS], y[PARTS];
  parts_of(x, &card->ledger);
  parts_of(y, &rtl->ledger);
  (void)fprintf(out, "  cycles %" PRIu64 " (%+" PRId64 ")", card->cycles,
                (int64_t)(card->cycles - rtl->cycles));
  for (int i = 0; i < PARTS; i++) {
    if (x[i] == 0 && y[i] == 0) continue;
    (void)fprintf(out, ", %s %" PRIu64, part_names[i], x[i]);
    if (x[i] != y[i]) (void)fprintf(out, " (%+" PRId64 ")", (int64_t)(x[i] - y[i]));
  }
  (void)fprintf(out, "\n");
}
