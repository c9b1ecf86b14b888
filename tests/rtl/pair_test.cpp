// Two columns in a DSP: for all 2^24 activations and pairs of weights the word that
// systole_pe_pair adds holds both products.
#include "Vpair.h"
#include "bench.h"

using namespace systole;

namespace {
constexpr int kLowBits = 18;  // of chains of 8 rows
}

Test(pair, both_products_are_in_one_word_for_all_operands) {
  Bench<Vpair> bench(1);
  bench->packed_i = 0;
  bench->capture_i = bench->switch_i = 1;
  for (int weights = 0; weights < 65536; weights++) {
    const int low = static_cast<int8_t>(weights),
              high = static_cast<int8_t>(weights >> 8);
    bench->operand_i =
        static_cast<IData>((((high - (low < 0)) & 0x1FF) << 8) | (low & 0xFF));
    bench->act_i = 0;
    for (int hop = 0; hop < 2; hop++) {  // into the shadow, into the weight
      bench.Settle();
      bench.Edge();
    }
    // The product of an activation is in the sum three edges after it.
    for (int act = 0; act < 256 + 2; act++) {
      bench->act_i = static_cast<CData>(act & 0xFF);
      bench.Settle();
      bench.Edge();
      if (act < 2) continue;
      const int64_t a = static_cast<int8_t>(act - 2);
      const int64_t both = a * low + a * high * (int64_t{1} << kLowBits);
      const uint64_t mask = (uint64_t{1} << (2 * kLowBits + 1)) - 1;
      SYSTOLE_CHECK(bench->packed_o == (static_cast<uint64_t>(both) & mask),
                    "%d and %d times %d is something else", low, high,
                    static_cast<int>(a));
    }
  }
}
