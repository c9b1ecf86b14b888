/* Draws figures by running gnuplot. */
#ifndef SYSTOLE_REPORT_GNUPLOT_H
#define SYSTOLE_REPORT_GNUPLOT_H

#include "report/figure.h"

/* Writes NAME.svg, NAME.png, NAME-light.svg and NAME-dark.svg (for the page) and the
 * script NAME.gnuplot into `folder`. Returns 1 when they are complete; else 0, nothing of
 * the pictures is left and `why` says why. */
int systole_gnuplot_draw(const systole_figure *figure, const systole_report *report,
                         const char *folder, char *why, size_t why_size);

#endif
