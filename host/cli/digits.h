/* Handwriting-like digits, 28 x 28, drawn from a seed: strokes under a random affine map.
 * For runs without a data set; they are pictures of digits, not a substitute for one. */
#ifndef SYSTOLE_CLI_DIGITS_H
#define SYSTOLE_CLI_DIGITS_H

#include <stdint.h>

enum { SystoleDigitSide = 28, SystoleDigitPixels = 28 * 28 };

/* Image `index` shows the digit index % 10. The same seed and index always give the same
 * picture. out: [28][28], 0 black ... 255 white. */
void systole_digit_draw(uint8_t *out, uint64_t seed, uint64_t index);

#endif
