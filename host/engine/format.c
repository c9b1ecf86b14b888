#include "engine/format.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static float value_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

uint16_t systole_bf16_of(float value) {
  const uint32_t bits = bits_of(value);
  /* A NaN whose payload is in the lower half alone must not become infinity. */
  const uint32_t nan = (bits >> 16) | 0x40;
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded);
}

float systole_bf16_value(uint16_t bits) { return value_of((uint32_t)bits << 16); }

uint16_t systole_f16_of(float value) {
  const uint32_t bits = bits_of(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00);  /* NaN */
  if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* 65520 and beyond */
  if (magnitude < 0x38800000) { /* below 2^-14: a multiple of 2^-24 */
    const float steps = rintf(value_of(magnitude) * 0x1p24F);
    return (uint16_t)(sign | (uint32_t)steps);
  }
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return (uint16_t)(sign | ((rounded >> 13) - (112U << 10)));
}

float systole_f16_value(uint16_t bits) {
  const uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
  const uint32_t exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
  if (exponent == 0) {
    const float small = (float)fraction * 0x1p-24F;
    return sign != 0 ? -small : small;
  }
  if (exponent == 31) return value_of(sign | 0x7f800000 | fraction << 13);
  return value_of(sign | (exponent + 112) << 23 | fraction << 13);
}

void systole_format_round(uint16_t *to, int64_t ld_to, systole_format format,
                          const float *from, int64_t ld_from, int64_t rows,
                          int64_t columns) {
  for (int64_t i = 0; i < rows; i++) {
    uint16_t *row = to + i * ld_to;
    const float *values = from + i * ld_from;
    if (format == SYSTOLE_FORMAT_BF16) {
      for (int64_t j = 0; j < columns; j++) row[j] = systole_bf16_of(values[j]);
    } else {
      for (int64_t j = 0; j < columns; j++) row[j] = systole_f16_of(values[j]);
    }
  }
}

float systole_format_operand(systole_format format, float value) {
  if (format == SYSTOLE_FORMAT_BF16) return systole_bf16_value(systole_bf16_of(value));
  if (format == SYSTOLE_FORMAT_F16) return systole_f16_value(systole_f16_of(value));
  return value;
}

double systole_format_bound(systole_format format, int64_t k) {
  const double u = format == SYSTOLE_FORMAT_F32 ? 0x1p-24 : 0x1p-22;
  const double ku = (double)k * u;
  const double sums = ku < 0.5 ? ku / (1 - ku) : 1;
  return format == SYSTOLE_FORMAT_TF32 ? sums + 0x1p-9 : sums;
}
