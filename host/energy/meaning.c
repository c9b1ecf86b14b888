/* What an amount of energy means: against physics, and on a bill. */
#include "energy.h"

/* Exact by the definition of the kelvin since 2019 (SI brochure, 9th edition). */
static const double boltzmann = 1.380649e-23;
static const double ln2 = 0.69314718055994530942;

double systole_energy_landauer_j(uint64_t macs) {
  return (double)macs * SYSTOLE_LANDAUER_BITS_PER_MAC * boltzmann *
         SYSTOLE_LANDAUER_KELVIN * ln2;
}

static systole_bounds times(const systole_bounds *b, double factor) {
  const systole_bounds out = {b->kind, b->low * factor, b->nominal * factor,
                              b->high * factor};
  return out;
}

systole_bounds systole_energy_landauer_times(const systole_bounds *energy_j,
                                             uint64_t macs) {
  const systole_bounds unknown = {SYSTOLE_KIND_UNKNOWN, 0, 0, 0};
  if (energy_j->kind == SYSTOLE_KIND_UNKNOWN || macs == 0) return unknown;
  return times(energy_j, 1 / systole_energy_landauer_j(macs));
}

systole_bounds systole_energy_kwh_per_thousand(const systole_bounds *energy_j) {
  const systole_bounds unknown = {SYSTOLE_KIND_UNKNOWN, 0, 0, 0};
  if (energy_j->kind == SYSTOLE_KIND_UNKNOWN) return unknown;
  return times(energy_j, 1000 / 3.6e6); /* 1 kWh = 3.6 MJ */
}
