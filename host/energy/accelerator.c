/* The activity model: energy of counted events plus leakage over time. docs/energy.md
 * explains every term; the figures are in data/coefficients.csv. */
#include <math.h>
#include <string.h>

#include "coefficients.h"

typedef struct range {
  double low, nominal, high;
} range;

static const double pico = 1e-12;
static const double micro = 1e-6;

static range coefficient(systole_technology_index t, systole_coefficient_index i) {
  const systole_energy_coefficient *c = systole_energy_coefficient_at(t, i);
  const range r = {c->low, c->nominal, c->high};
  return r;
}

static void add(range *to, range what, double times) {
  to->low += what.low * times;
  to->nominal += what.nominal * times;
  to->high += what.high * times;
}

/* On the straight line in log-log through the three points y. */
static double between(double bytes, const double y[3]) {
  const double x[3] = {8.0 * 1024, 32.0 * 1024, 1024.0 * 1024};
  if (bytes <= x[0]) return y[0];
  if (bytes >= x[2]) return y[2];
  const int i = bytes < x[1] ? 0 : 1;
  const double slope = log(y[i + 1] / y[i]) / log(x[i + 1] / x[i]);
  return y[i] * exp(slope * log(bytes / x[i]));
}

/* pJ a byte from a memory of `bytes`, on the line through the points that the technology
 * has. Below 8 KB and above 1 MB the end points hold: smaller ones are all periphery,
 * larger ones are built from banks. */
static range sram(systole_technology_index t, double bytes) {
  const range a = coefficient(t, SYSTOLE_COEFFICIENT_SRAM_8K),
              b = coefficient(t, SYSTOLE_COEFFICIENT_SRAM_32K),
              c = coefficient(t, SYSTOLE_COEFFICIENT_SRAM_1024K);
  const double low[3] = {a.low, b.low, c.low},
               nominal[3] = {a.nominal, b.nominal, c.nominal},
               high[3] = {a.high, b.high, c.high};
  const range r = {between(bytes, low), between(bytes, nominal), between(bytes, high)};
  return r;
}

/* A memory of `banks` banks: at least the energy of one bank, at most that of a single
 * memory of the whole capacity, nominally the geometric mean. */
static range memory(systole_technology_index t, double bytes, double banks) {
  const range bank = sram(t, bytes / banks), whole = sram(t, bytes);
  const range r = {bank.low, sqrt(bank.nominal * whole.nominal), whole.high};
  return r;
}

/* What stands behind a '+' changes a rate, not the kind of memory. */
static int is_preset(const char *memory, const char *name) {
  const size_t length = strlen(name);
  return memory != NULL && strncmp(memory, name, length) == 0 &&
         (memory[length] == '\0' || memory[length] == '+');
}

static range dram(systole_technology_index t, const char *preset) {
  if (is_preset(preset, "ddr4")) {
    return coefficient(t, SYSTOLE_COEFFICIENT_DRAM_DDR4);
  }
  if (is_preset(preset, "hbm2")) {
    return coefficient(t, SYSTOLE_COEFFICIENT_DRAM_HBM2);
  }
  return coefficient(t, SYSTOLE_COEFFICIENT_DRAM_IDEAL);
}

static range run_energy(systole_technology_index t, const systole_stats *stats,
                        const systole_geometry *geometry) {
  const double dim = geometry->dim;
  const double pes = dim * dim;
  const double ub_bytes = (double)geometry->ub_rows * dim;
  const double acc_bytes = (double)geometry->acc_rows * dim * 4;
  const double fifo_bytes = (double)geometry->weight_tiles * pes;
  /* A row that enters passes every element of the array: dim^2 MACs per active cycle,
   * padding included. */
  const double all_macs = (double)stats->ledger.active * pes;
  const double zero =
      (double)stats->zero_macs < all_macs ? (double)stats->zero_macs : all_macs;

  const range share = coefficient(t, SYSTOLE_COEFFICIENT_MAC_ZERO_SHARE);
  range mac = coefficient(t, SYSTOLE_COEFFICIENT_MAC_MULTIPLY);
  add(&mac, coefficient(t, SYSTOLE_COEFFICIENT_MAC_ADD), 1);
  const range zero_mac = {mac.low * share.low, mac.nominal * share.nominal,
                          mac.high * share.high};

  range pj = {0, 0, 0};
  add(&pj, mac, all_macs - zero);
  add(&pj, zero_mac, zero);
  add(&pj, coefficient(t, SYSTOLE_COEFFICIENT_PE_REGISTERS), all_macs);
  add(&pj, coefficient(t, SYSTOLE_COEFFICIENT_PE_CLOCK), (double)stats->cycles * pes);
  add(&pj, memory(t, ub_bytes, dim),
      (double)stats->ub_read_bytes + (double)stats->ub_write_bytes);
  add(&pj, memory(t, acc_bytes, dim),
      (double)stats->acc_read_bytes + (double)stats->acc_write_bytes);
  /* Every byte of weights is written into the FIFO and read from it. */
  add(&pj, memory(t, fifo_bytes, dim), 2 * (double)stats->weight_bytes);
  add(&pj, dram(t, stats->memory),
      (double)stats->dram_read_bytes + (double)stats->dram_write_bytes);

  range uw = {0, 0, 0};
  add(&uw, coefficient(t, SYSTOLE_COEFFICIENT_STATIC_PE), pes);
  add(&uw, coefficient(t, SYSTOLE_COEFFICIENT_STATIC_SRAM),
      ub_bytes + acc_bytes + fifo_bytes);

  range joules = {0, 0, 0};
  add(&joules, pj, pico);
  add(&joules, uw, micro * stats->seconds);
  add(&joules, coefficient(t, SYSTOLE_COEFFICIENT_STATIC_CHIP), stats->seconds);
  return joules;
}

void systole_energy_accelerator(const systole_stats *stats,
                                const systole_geometry *geometry, systole_bounds *power_w,
                                systole_bounds *energy_j) {
  const systole_bounds unknown = {SYSTOLE_KIND_UNKNOWN, 0, 0, 0};
  systole_bounds energy = unknown;
  systole_bounds power = unknown;
  const systole_technology_index t = systole_technology_of(
      stats->technology != NULL ? stats->technology : systole_technology_default(1));
  if (stats->has_cycles && stats->cycles > 0 && stats->seconds > 0 && geometry->dim > 0 &&
      t < SYSTOLE_TECHNOLOGY_COUNT) {
    const range e = run_energy(t, stats, geometry);
    const double s = stats->seconds;
    energy = (systole_bounds){SYSTOLE_KIND_MODELLED, e.low, e.nominal, e.high};
    power = (systole_bounds){SYSTOLE_KIND_MODELLED, e.low / s, e.nominal / s, e.high / s};
  }
  if (power_w != NULL) *power_w = power;
  if (energy_j != NULL) *energy_j = energy;
}
