/* Colours of figures and pages. A device has the same colour in every figure of every
 * report. Okabe and Ito's colour-blind-safe set (jfly.uni-koeln.de/color), with a lighter
 * twin for dark pages. */
#ifndef SYSTOLE_REPORT_PALETTE_H
#define SYSTOLE_REPORT_PALETTE_H

#include "report/report.h"

typedef enum systole_theme { SYSTOLE_THEME_LIGHT, SYSTOLE_THEME_DARK } systole_theme;

/* "#rrggbb" of the report's device number `index`. */
const char *systole_palette_device(const systole_report *report, size_t index,
                                   systole_theme theme);

/* gnuplot's point type: filled for measured, open of the same shape for modelled. */
int systole_palette_point(size_t index, int modelled);

/* Colour of a part of the cycle ledger. */
const char *systole_palette_ledger(int part, systole_theme theme);

const char *systole_palette_ink(systole_theme theme);
const char *systole_palette_faint(systole_theme theme); /* grids, iso lines */
const char *systole_palette_muted(systole_theme theme); /* secondary text */

#endif
