/* Rounding to the shorter float formats, for every engine that takes them and for the
 * checks. */
#ifndef SYSTOLE_ENGINE_FORMAT_H
#define SYSTOLE_ENGINE_FORMAT_H

#include <stdint.h>

#include "systole/systole.h"

/* bfloat16: the upper half of a float32. To the nearest, halves to even; values beyond
 * the largest become infinite, and a NaN stays one. */
uint16_t systole_bf16_of(float value);
float systole_bf16_value(uint16_t bits);

/* IEEE 754 binary16, likewise; values below 2^-14 lose bits, as the standard says. */
uint16_t systole_f16_of(float value);
float systole_f16_value(uint16_t bits);

/* rows x columns of float32 -> the 16-bit format (BF16 or F16), rows `ld_to` elements
 * apart. What lies between the end of a row and ld_to is left alone. */
void systole_format_round(uint16_t *to, int64_t ld_to, systole_format format,
                          const float *from, int64_t ld_from, int64_t rows,
                          int64_t columns);

/* `value` as an operand of that format: itself in F32, TF32 (which hardware rounds in its
 * own way) and S8. */
float systole_format_operand(systole_format format, float value);

/* How far a product's element may be from the exact sum of the rounded operands'
 * products, as a multiple of sum |a| |b|, when it is added up in any order: g = K u / (1
 * - K u)      (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed.,
 * equation 3.5) u = 2^-24, the rounding of float32. Shorter formats are added up by units
 * that cut off instead of rounding and align several products to the largest (Fasi,
 * Higham, Mikaitis, Pranesh 2021, Numerical behavior of NVIDIA tensor cores): u = 2^-22
 * there. TF32 adds 2^-9 for its operands, which are cut or rounded to 10 bits. */
double systole_format_bound(systole_format format, int64_t k);

#endif
