/* The formulas of the course, each in one line. Pure functions; what cannot be is NAN. */
#ifndef SYSTOLE_REPORT_FORMULAS_H
#define SYSTOLE_REPORT_FORMULAS_H

#include <stddef.h>

/* G. M. Amdahl, AFIPS 1967: speed-up of the whole when the share p (0 ... 1) of its time
 * becomes s times faster, S = 1 / ((1 - p) + p / s). */
double systole_amdahl(double p, double s);
/* The same for s without bounds: S_max = 1 / (1 - p); infinite for p = 1. */
double systole_amdahl_limit(double p);

/* Operations that training takes: 6 for each parameter and token (2 forward, 4 backward;
 * J. Kaplan et al., Scaling Laws for Neural Language Models, arXiv 2001.08361,
 * section 2.1). */
double systole_training_operations(double parameters, double tokens);
/* Seconds of one device with `peak_gops` at `utilisation` (0 ... 1). */
double systole_training_seconds(double parameters, double tokens, double peak_gops,
                                double utilisation);
double systole_rent(double seconds, double per_hour);

/* Where curve b begins to lie below curve a and stays there: the x between the last point
 * with b >= a and the next, on straight lines in log-log. x ascends; all are positive.
 * x[0] when b lies below everywhere; NAN when it does not lie below at the end, or there
 * are no points. */
double systole_crossover(const double *x, const double *a, const double *b, size_t count);

/* q-quantile (0 ... 1) of ascending values: the smallest value that at least that share
 * of the values does not exceed ("nearest rank"). NAN without values. */
double systole_quantile(const double *ascending, size_t count, double q);

double systole_kwh(double joules);

#endif
