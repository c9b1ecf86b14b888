#include "report/formulas.h"

#include <math.h>

double systole_amdahl(double p, double s) {
  if (!(p >= 0 && p <= 1) || !(s > 0)) return NAN;
  return 1 / ((1 - p) + p / s);
}

double systole_amdahl_limit(double p) { return p >= 0 && p <= 1 ? 1 / (1 - p) : NAN; }

double systole_training_operations(double parameters, double tokens) {
  return 6 * parameters * tokens;
}

double systole_training_seconds(double parameters, double tokens, double peak_gops,
                                double utilisation) {
  if (!(peak_gops > 0) || !(utilisation > 0)) return NAN;
  return systole_training_operations(parameters, tokens) /
         (1e9 * peak_gops * utilisation);
}

double systole_rent(double seconds, double per_hour) { return seconds / 3600 * per_hour; }

double systole_crossover(const double *x, const double *a, const double *b,
                         size_t count) {
  if (count == 0 || !(b[count - 1] < a[count - 1])) return NAN;
  size_t first = count - 1; /* of those below to the end */
  while (first > 0 && b[first - 1] < a[first - 1]) first--;
  if (first == 0) return x[0];
  const size_t last = first - 1;
  const double before = log(b[last] / a[last]), after = log(b[first] / a[first]);
  const double part = before / (before - after); /* where the logarithm passes zero */
  return exp(log(x[last]) + part * log(x[first] / x[last]));
}

double systole_quantile(const double *ascending, size_t count, double q) {
  if (count == 0) return NAN;
  const double rank = ceil(q * (double)count);
  size_t index = rank < 1 ? 0 : (size_t)rank - 1;
  if (index >= count) index = count - 1;
  return ascending[index];
}

double systole_kwh(double joules) { return joules / 3.6e6; }
