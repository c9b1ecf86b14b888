/* Sign extension and signed products in a form that gcc turns into vector instructions.
 *
 * Verilator writes a sign extension from l bits as -(x & 1 << (l - 1)) | x and a signed
 * product as two such extensions and an int multiply. gcc does not see a narrow cast in
 * that, so a loop over the lanes of the array works on 32-bit numbers where 8 or 16 bits
 * would do. The same values as casts to int8_t and int16_t vectorise four and two times
 * as wide, and as a step of a dot product where it is one.
 *
 * This header is force-included in front of the generated code (-include), after which
 * the two names below are macros. The width is always a literal there, so the cast is
 * chosen at compile time. Operands are clean (bits from l on are 0, as Verilator keeps
 * them), results may be dirty above their width, as Verilator's own are. tests/unit holds
 * both equal for every width.
 */
#ifndef SYSTOLE_FAST_HELPERS_H
#define SYSTOLE_FAST_HELPERS_H

#include <cstdint>

#include "verilated.h"

/* A number of at most 16 bits, sign-extended. Of two such gcc is told that the product is
 * signed and fits, and makes one instruction (vpmaddwd) of a dot product's step. */
struct systole_narrow {
  int32_t value;
  __attribute__((always_inline)) operator IData() const {
    return static_cast<IData>(value);
  }
};

/* Sign-extends the low Bits bits of a clean operand to 32. */
template <int Bits>
static inline __attribute__((always_inline)) auto systole_extend(IData x) {
  static_assert(Bits >= 1 && Bits <= 32, "an IData has 1 to 32 bits");
  if constexpr (Bits == 8) {
    return systole_narrow{static_cast<int8_t>(x)};
  } else if constexpr (Bits == 16) {
    return systole_narrow{static_cast<int16_t>(x)};
  } else if constexpr (Bits == 32) {
    return x;
  } else {
    return (VL_EXTENDS_II)(32, Bits, x); /* in brackets: the function, not the macro */
  }
}

/* Signed product of two clean operands of Bits bits, good in its low Bits bits. */
template <int Bits>
static inline __attribute__((always_inline)) IData systole_multiply(IData a, IData b) {
  if constexpr (Bits == 16) {
    /* Multiplied as unsigned: 0x8000 * 0x8000 fits, and the low half is the same. */
    return static_cast<IData>(static_cast<int32_t>(static_cast<int16_t>(
        static_cast<uint16_t>(a) * static_cast<uint32_t>(static_cast<uint16_t>(b)))));
  } else {
    return static_cast<IData>(systole_extend<Bits>(a)) *
           static_cast<IData>(systole_extend<Bits>(b));
  }
}
template <int Bits>
static inline __attribute__((always_inline)) IData systole_multiply(systole_narrow a,
                                                                    systole_narrow b) {
  if constexpr (Bits == 32) {
    return static_cast<IData>(a.value * b.value);
  } else {
    return systole_multiply<Bits>(static_cast<IData>(a), static_cast<IData>(b));
  }
}

#define VL_EXTENDS_II(obits, lbits, x) systole_extend<lbits>(x)
#define VL_MULS_III(lbits, a, b) systole_multiply<lbits>(a, b)

#endif
