#include "coefficients.h"

#include <string.h>

static const systole_technology technologies[] = {
#define ROW(upper, name, title, source) {name, title, source},
    SYSTOLE_ENERGY_TECHNOLOGIES(ROW)
#undef ROW
};

enum {
#define PLACE(technology, upper, text, name, unit, low, nominal, high, kind, source) \
  Row_##technology##_##upper,
  SYSTOLE_ENERGY_COEFFICIENTS(PLACE)
#undef PLACE
};

static const systole_energy_coefficient table[] = {
#define ROW(technology, upper, text, name, unit, low, nominal, high, kind, source) \
  {text, name, unit, low, nominal, high, kind, source},
    SYSTOLE_ENERGY_COEFFICIENTS(ROW)
#undef ROW
};

/* Rows of the table plus one; 0: what holds for any technology. */
static const unsigned char places[SYSTOLE_TECHNOLOGY_COUNT + 1]
                                 [SYSTOLE_COEFFICIENT_COUNT] = {
#define ROW(technology, upper, text, name, unit, low, nominal, high, kind, source) \
  [SYSTOLE_TECHNOLOGY_##technology][SYSTOLE_COEFFICIENT_##upper] =                 \
      Row_##technology##_##upper + 1,
                                     SYSTOLE_ENERGY_COEFFICIENTS(ROW)
#undef ROW
};

const systole_energy_coefficient *systole_energy_coefficients(size_t *count) {
  *count = sizeof table / sizeof table[0];
  return table;
}

const systole_energy_coefficient *systole_energy_coefficient_at(
    systole_technology_index technology, systole_coefficient_index i) {
  const unsigned char place = places[technology][i];
  return &table[(place != 0 ? place : places[SYSTOLE_TECHNOLOGY_ANY][i]) - 1];
}

const systole_technology *systole_technology_list(size_t *count) {
  *count = sizeof technologies / sizeof technologies[0];
  return technologies;
}

systole_technology_index systole_technology_of(const char *name) {
  size_t i = 0;
  while (i < sizeof technologies / sizeof technologies[0] &&
         strcmp(technologies[i].name, name) != 0) {
    i++;
  }
  return (systole_technology_index)i;
}

const char *systole_technology_default(int simulated) {
  return technologies[simulated ? SYSTOLE_TECHNOLOGY_45NM : SYSTOLE_TECHNOLOGY_FPGA_16NM]
      .name;
}

const char *systole_technology_named(const char *name) {
  const systole_technology_index i = systole_technology_of(name);
  return i < SYSTOLE_TECHNOLOGY_COUNT ? technologies[i].name : NULL;
}

const char *systole_technology_title(const char *name) {
  const systole_technology_index i = systole_technology_of(name);
  return i < SYSTOLE_TECHNOLOGY_COUNT ? technologies[i].title : NULL;
}
