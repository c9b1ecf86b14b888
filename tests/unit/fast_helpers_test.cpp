// The helpers that replace Verilator's in the generated code give the same values as
// Verilator's own, for every width and clean operands. "The same" is up to the width of
// the result: above it, Verilator's own results are arbitrary too.
#include "fast_helpers.h"

#include <criterion/criterion.h>

#include <cstdint>
#include <initializer_list>
#include <utility>

namespace {

constexpr uint32_t mask(int bits) { return bits == 32 ? UINT32_MAX : (1u << bits) - 1; }

// Operands that sit on the edges of a width, and a few thousand in between.
template <class Body>
void each_operand(int bits, int count, Body body) {
  for (uint32_t x :
       {0u, 1u, 2u, mask(bits), mask(bits) - 1, mask(bits) >> 1, (mask(bits) >> 1) + 1}) {
    body(x & mask(bits));
  }
  uint64_t state = 1;
  for (int i = 0; i < count; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    body(static_cast<uint32_t>(state >> 32) & mask(bits));
  }
}

template <int Bits>
void extends_alike() {
  each_operand(Bits, 5000, [](uint32_t x) {
    const uint32_t expected = (VL_EXTENDS_II)(32, Bits, x);
    cr_assert_eq(VL_EXTENDS_II(32, Bits, x), expected, "width %d, operand 0x%x", Bits, x);
  });
}

template <int Bits>
void multiplies_alike() {
  each_operand(Bits, 100, [](uint32_t a) {
    each_operand(Bits, 100, [a](uint32_t b) {
      const uint32_t expected = (VL_MULS_III)(Bits, a, b) & mask(Bits);
      cr_assert_eq(VL_MULS_III(Bits, a, b) & mask(Bits), expected,
                   "width %d, operands 0x%x and 0x%x", Bits, a, b);
    });
  });
}

template <int... I>
void all_extend(std::integer_sequence<int, I...>) {
  (extends_alike<I + 1>(), ...);
}

template <int... I>
void all_multiply(std::integer_sequence<int, I...>) {
  (multiplies_alike<I + 1>(), ...);
}

}  // namespace

Test(fast_helpers, sign_extension_equals_verilators_at_every_width) {
  all_extend(std::make_integer_sequence<int, 32>());
}

Test(fast_helpers, signed_product_equals_verilators_at_every_width) {
  all_multiply(std::make_integer_sequence<int, 32>());
}

// All operands there are, at the width of the array's data.
Test(fast_helpers, every_int8_product_is_right) {
  for (int a = -128; a < 128; a++) {
    for (int b = -128; b < 128; b++) {
      const IData x = VL_EXTENDS_II(16, 8, static_cast<IData>(a & 0xFF)) & 0xFFFF;
      const IData y = VL_EXTENDS_II(16, 8, static_cast<IData>(b & 0xFF)) & 0xFFFF;
      cr_assert_eq(static_cast<int16_t>(VL_MULS_III(16, x, y)), a * b, "%d * %d", a, b);
    }
  }
}
