#include "coefficients.h"

static const systole_energy_coefficient table[] = {
#define ROW(upper, name, unit, low, nominal, high, kind, source) \
  {name, unit, low, nominal, high, kind, source},
    SYSTOLE_ENERGY_COEFFICIENTS(ROW)
#undef ROW
};

const systole_energy_coefficient *systole_energy_coefficients(size_t *count) {
  *count = sizeof table / sizeof table[0];
  return table;
}

const systole_energy_coefficient *systole_energy_coefficient_at(
    systole_coefficient_index i) {
  return &table[i];
}

const char *systole_energy_technology(void) { return "45 nm CMOS (Horowitz 2014)"; }
