/* The coefficients by index, so that a line missing from the data file fails to compile.
 */
#ifndef SYSTOLE_ENERGY_COEFFICIENTS_H
#define SYSTOLE_ENERGY_COEFFICIENTS_H

#include "energy.h"
#include "systole_energy_tables.h"

typedef enum systole_coefficient_index {
#define INDEX(upper, name, unit, low, nominal, high, kind, source) \
  SYSTOLE_COEFFICIENT_##upper,
  SYSTOLE_ENERGY_COEFFICIENTS(INDEX)
#undef INDEX
      SYSTOLE_COEFFICIENT_COUNT
} systole_coefficient_index;

const systole_energy_coefficient *systole_energy_coefficient_at(
    systole_coefficient_index i);

#endif
