/* The coefficients by technology and name; one that the data files lack stops the
 * configuration. */
#ifndef SYSTOLE_ENERGY_COEFFICIENTS_H
#define SYSTOLE_ENERGY_COEFFICIENTS_H

#include "energy.h"
#include "systole_energy_tables.h"

typedef enum systole_technology_index {
#define INDEX(upper, name, title, source) SYSTOLE_TECHNOLOGY_##upper,
  SYSTOLE_ENERGY_TECHNOLOGIES(INDEX)
#undef INDEX
      SYSTOLE_TECHNOLOGY_ANY, /* what holds for all of them */
  SYSTOLE_TECHNOLOGY_COUNT = SYSTOLE_TECHNOLOGY_ANY
} systole_technology_index;

typedef enum systole_coefficient_index {
#define INDEX(upper) SYSTOLE_COEFFICIENT_##upper,
  SYSTOLE_ENERGY_NAMES(INDEX)
#undef INDEX
      SYSTOLE_COEFFICIENT_COUNT
} systole_coefficient_index;

const systole_energy_coefficient *systole_energy_coefficient_at(
    systole_technology_index technology, systole_coefficient_index i);

/* By name, "45nm"; SYSTOLE_TECHNOLOGY_COUNT when there is none of it. */
systole_technology_index systole_technology_of(const char *name);

#endif
