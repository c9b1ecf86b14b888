/* Energy: what a device takes for a piece of work, measured where this machine has a
 * source for that device and modelled elsewhere, and what that means.
 *
 * Every figure is a systole_bounds with its kind; UNKNOWN means that there is none. No
 * figure is given without low <= nominal <= high. docs/energy.md has methods, sources and
 * formulas. Conventions are those of systole.h.
 */
#ifndef SYSTOLE_SYSTOLE_ENERGY_H
#define SYSTOLE_SYSTOLE_ENERGY_H

#include "systole/systole.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the technology of the activity model ---------------------------------------------
 */

typedef struct systole_technology {
  const char *name;   /* "45nm", for systole_device_options.technology */
  const char *title;  /* for legends: "45 nm CMOS (Horowitz 2014)" */
  const char *source; /* never empty */
} systole_technology;

/* All of them; static storage. */
SYSTOLE_API const systole_technology *systole_technology_list(size_t *count);

/* The title that belongs to a name; NULL when there is no such technology. */
SYSTOLE_API const char *systole_technology_title(const char *name);

#ifdef __cplusplus
}
#endif

#endif
