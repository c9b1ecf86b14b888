#include "digits.h"

#include <math.h>
#include <stddef.h>

#include "streams.h"

/* A digit is some strokes; a stroke is an arc of an ellipse or a line, in a unit square
 * with y downwards. Arc: centre, radii, first and last angle in degrees (0 right, 90
 * down). Line: two points, marked by radii of zero. */
typedef struct stroke {
  double x, y;   /* centre, or first point */
  double rx, ry; /* radii, or 0, 0 */
  double a, b;   /* angles, or second point */
} stroke;

enum { MaxStrokes = 5, MaxPoints = 24 };

static const struct {
  int count;
  stroke strokes[MaxStrokes];
} shapes[10] = {
    {1, {{0.50, 0.50, 0.27, 0.40, 0, 360}}},
    {2, {{0.38, 0.24, 0, 0, 0.54, 0.10}, {0.54, 0.10, 0, 0, 0.52, 0.90}}},
    {3,
     {{0.50, 0.33, 0.25, 0.23, 185, 380},
      {0.735, 0.41, 0, 0, 0.24, 0.88},
      {0.24, 0.88, 0, 0, 0.78, 0.88}}},
    {2, {{0.48, 0.30, 0.24, 0.20, 200, 450}, {0.48, 0.69, 0.27, 0.20, 270, 520}}},
    {3,
     {{0.56, 0.10, 0, 0, 0.22, 0.62},
      {0.22, 0.62, 0, 0, 0.80, 0.62},
      {0.64, 0.36, 0, 0, 0.62, 0.92}}},
    {4,
     {{0.74, 0.11, 0, 0, 0.34, 0.11},
      {0.34, 0.11, 0, 0, 0.30, 0.46},
      {0.30, 0.46, 0, 0, 0.40, 0.42},
      {0.47, 0.66, 0.27, 0.24, 255, 510}}},
    {2, {{0.72, 0.62, 0.46, 0.53, 180, 255}, {0.50, 0.67, 0.24, 0.22, 0, 360}}},
    {3,
     {{0.24, 0.12, 0, 0, 0.76, 0.12},
      {0.76, 0.12, 0, 0, 0.44, 0.90},
      {0.40, 0.50, 0, 0, 0.68, 0.50}}},
    {2, {{0.50, 0.29, 0.20, 0.19, 0, 360}, {0.50, 0.69, 0.25, 0.21, 0, 360}}},
    {2, {{0.48, 0.33, 0.23, 0.22, 0, 360}, {0.71, 0.33, 0, 0, 0.60, 0.90}}},
};

typedef struct point {
  double x, y;
} point;

static int trace_stroke(point out[MaxPoints], const stroke *s) {
  if (s->rx == 0 && s->ry == 0) {
    out[0] = (point){s->x, s->y};
    out[1] = (point){s->a, s->b};
    return 2;
  }
  for (int i = 0; i < MaxPoints; i++) {
    const double degrees = s->a + (s->b - s->a) * i / (MaxPoints - 1);
    const double angle = degrees * 3.14159265358979323846 / 180.0;
    out[i] = (point){s->x + s->rx * cos(angle), s->y + s->ry * sin(angle)};
  }
  return MaxPoints;
}

static double distance_to(point p, point a, point b) {
  const double dx = b.x - a.x, dy = b.y - a.y;
  const double length = dx * dx + dy * dy;
  double t = length > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length : 0;
  t = t < 0 ? 0 : t > 1 ? 1 : t;
  return hypot(p.x - a.x - t * dx, p.y - a.y - t * dy);
}

void systole_digit_draw(uint8_t *out, uint64_t seed, uint64_t index) {
  systole_random random = systole_stream(seed, SYSTOLE_STREAM_DIGIT + index);
  const double angle = (systole_random_unit(&random) - 0.5) * 0.42; /* +-12 degrees */
  const double shear = (systole_random_unit(&random) - 0.5) * 0.40;
  const double sx = 19.0 * (0.82 + 0.30 * systole_random_unit(&random));
  const double sy = 20.0 * (0.88 + 0.22 * systole_random_unit(&random));
  const double tx = 13.5 + (systole_random_unit(&random) - 0.5) * 3.0;
  const double ty = 13.5 + (systole_random_unit(&random) - 0.5) * 3.0;
  const double radius = 0.85 + 0.75 * systole_random_unit(&random);
  const double c = cos(angle), s = sin(angle);

  double nearest[SystoleDigitPixels];
  for (size_t i = 0; i < SystoleDigitPixels; i++) nearest[i] = 1e9;
  const int digit = (int)(index % 10);
  for (int k = 0; k < shapes[digit].count; k++) {
    point path[MaxPoints];
    const int points = trace_stroke(path, &shapes[digit].strokes[k]);
    for (int i = 0; i < points; i++) {
      const double x = (path[i].x - 0.5) * sx, y = (path[i].y - 0.5) * sy;
      const double leaning = x - shear * y;
      path[i] = (point){tx + c * leaning - s * y, ty + s * leaning + c * y};
    }
    for (int i = 0; i + 1 < points; i++) {
      for (int row = 0; row < SystoleDigitSide; row++) {
        for (int col = 0; col < SystoleDigitSide; col++) {
          double *best = &nearest[row * SystoleDigitSide + col];
          const double d = distance_to((point){col, row}, path[i], path[i + 1]);
          if (d < *best) *best = d;
        }
      }
    }
  }
  /* One pixel of soft edge, as the anti-aliasing of a scanned pen stroke leaves it. */
  for (size_t i = 0; i < SystoleDigitPixels; i++) {
    double ink = radius + 0.5 - nearest[i];
    ink = ink < 0 ? 0 : ink > 1 ? 1 : ink;
    out[i] = (uint8_t)lround(255.0 * ink);
  }
}
