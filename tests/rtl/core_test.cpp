// The cores in lockstep: systole_core_flat, systole_core_readable and the readable one
// with two columns in a DSP see the same inputs and must show the same outputs in the
// same cycles (the count of zero operands, which only the ledger adds up, in cycles of
// its own), and all must be right.
//
// Inputs are as random as the contract in the flat core's header allows: tiles follow
// each other as fast as they may, accumulator rows are read as soon as their last column
// has landed.
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "Vflat16.h"
#include "Vflat2.h"
#include "Vflat4.h"
#include "Vflat8.h"
#include "Vpacked16.h"
#include "Vpacked2.h"
#include "Vpacked4.h"
#include "Vpacked8.h"
#include "Vreadable16.h"
#include "Vreadable2.h"
#include "Vreadable4.h"
#include "Vreadable8.h"
#include "bench.h"

using namespace systole;

namespace {

constexpr unsigned kUbRows = 64, kAccRows = 32;

template <class Flat, class Readable, class Packed, unsigned kDim>
class Lockstep {
 public:
  // Cycles from a row's entry until its accumulators may be read; systole_matmul waits as
  // long.
  static constexpr uint64_t kLatency = 2 * kDim + 3;
  // Cycles from a row's entry until its zero operands are told.
  static constexpr size_t kFlatZeros = 2, kReadableZeros = kDim + 3;

  explicit Lockstep(uint64_t seed)
      : flat(seed), readable(seed + 1), packed(seed + 2), random(seed) {
    Each([](auto &bench, size_t) {
      bench->row_valid_i = bench->row_ub_i = bench->row_acc_i = 0;
      bench->row_overwrite_i = bench->row_switch_i = 0;
      bench->weight_valid_i = 0;
      std::memset(&bench->weight_row_i, 0, kDim);
      bench->ub_enable_i = bench->ub_write_i = bench->ub_row_i = 0;
      std::memset(&bench->ub_wdata_i, 0, kDim);
      bench->acc_read_i = bench->acc_row_i = 0;
      bench.Reset();
    });
    ub.assign(kUbRows, std::string());
    acc.assign(kAccRows, {});
    rows_percent = random.Willingness();
    weights_percent = random.Willingness();
    zeros_percent = random.Percent(30) ? 60 : 5;
    extremes = random.Percent(40);
    lowest_percent = random.Percent(50) ? 50 : 97;
    entered.assign(kReadableZeros, {false, 0});
  }

  template <class Body>
  void Each(const Body &body) {
    body(flat, kFlatZeros);
    body(readable, kReadableZeros);
    body(packed, kReadableZeros);
  }

  // Dim operands: often zero, or only the extreme values, or nearly all the lowest.
  std::string Operands() {
    std::string row(kDim, 0);
    for (char &byte : row) {
      if (extremes) {
        byte = random.Percent(lowest_percent) ? '\x80' : '\x7F';
      } else if (!random.Percent(zeros_percent)) {
        byte = static_cast<char>(random.Bits());
      }
    }
    return row;
  }

  void Cycle() {
    // The next tile: its rows come in consecutive cycles, the first one at the earliest
    // with the switch to the tile before it; it may be switched in Dim cycles after its
    // first row.
    const bool complete = shadow_rows == kDim;
    const bool row = complete || tile.size() ? random.Percent(rows_percent) : false;
    const bool changes = row && complete && (tile.empty() || random.Percent(40));
    if (changes) {
      tile = shadow;
      shadow_rows = 0;
    }
    std::string weights(kDim, 0);
    random.Fill(&weights[0], kDim);
    bool weight = shadow_rows > 0 && shadow_rows < kDim;
    if (shadow_rows == 0) weight = random.Percent(weights_percent);
    if (weight) {
      if (shadow_rows == 0) shadow.clear();
      weights = Operands();
      shadow.push_back(weights);
      shadow_rows++;
    }

    // A row enters. The same accumulator row may not enter in consecutive cycles.
    if (random.Percent(3)) half = 1 - half;
    const unsigned first = half * kAccRows / 2;
    unsigned ub_row = random.Below(kUbRows), acc_row = first + random.Below(kAccRows / 2);
    bool overwrite = random.Percent(30);
    bool enters = row && !ub[ub_row].empty() && acc_row != last_acc_row;
    if (changes && !enters) {  // the switch needs a row
      acc_row = first + (last_acc_row + 1) % (kAccRows / 2);
      for (ub_row = 0; ub_row < kUbRows && ub[ub_row].empty();) ub_row++;
      enters = true;
    }
    overwrite = overwrite || acc[acc_row].empty();
    uint64_t zeros = 0;
    if (enters) {
      if (overwrite) acc[acc_row].assign(kDim, 0);
      for (unsigned r = 0; r < kDim; r++) {
        const int8_t a = static_cast<int8_t>(ub[ub_row][r]);
        for (unsigned c = 0; c < kDim; c++) {
          const int8_t w = static_cast<int8_t>(tile[r][c]);
          acc[acc_row][c] += static_cast<uint32_t>(a * w);
          zeros += a == 0 || w == 0;
        }
      }
      landed[half] = flat.cycle() + kLatency;
      rows++;
      tiles += changes;
    }
    last_acc_row = enters ? acc_row : kAccRows;

    // Port B; what port A reads in this cycle is not written.
    bool enable = random.Percent(70) || filled < kUbRows, write = random.Percent(50);
    unsigned b_row = random.Below(kUbRows);
    if (filled < kUbRows) {
      b_row = filled++;
      write = true;
    }
    if (write && enters && b_row == ub_row) enable = false;
    if (!write && ub[b_row].empty()) enable = false;
    std::string data(kDim, 0);
    random.Fill(&data[0], kDim);
    if (enable && write) data = Operands();
    const unsigned read_row = random.Below(kAccRows);
    const bool read = random.Percent(60) && !acc[read_row].empty() &&
                      flat.cycle() >= landed[read_row / (kAccRows / 2)];

    Each([&](auto &bench, size_t age) {
      bench->row_valid_i = enters;
      bench->row_ub_i = static_cast<CData>(ub_row);
      bench->row_acc_i = static_cast<CData>(acc_row);
      bench->row_overwrite_i = overwrite;
      bench->row_switch_i = changes;
      bench->weight_valid_i = weight;
      std::memcpy(&bench->weight_row_i, weights.data(), kDim);
      bench->ub_enable_i = enable;
      bench->ub_write_i = write;
      bench->ub_row_i = static_cast<CData>(b_row);
      std::memcpy(&bench->ub_wdata_i, data.data(), kDim);
      bench->acc_read_i = read;
      bench->acc_row_i = static_cast<CData>(read_row);
      bench.Settle();
      // What was asked for in earlier cycles.
      const std::pair<bool, uint64_t> zero = entered[age - 1];
      SYSTOLE_CHECK(bench->zero_valid_o == zero.first, "zero_valid_o is %d",
                    bench->zero_valid_o);
      if (zero.first) {
        SYSTOLE_CHECK(bench->zero_macs_o == zero.second,
                      "zero_macs_o is %u, expected %llu", bench->zero_macs_o,
                      static_cast<unsigned long long>(zero.second));
      }
      if (!expected_ub.empty()) {
        SYSTOLE_CHECK(std::memcmp(&bench->ub_rdata_o, expected_ub.data(), kDim) == 0,
                      "port B reads something else");
      }
      if (!expected_acc.empty()) {
        SYSTOLE_CHECK(
            std::memcmp(&bench->acc_rdata_o, expected_acc.data(), 4 * kDim) == 0,
            "an accumulator row is wrong");
      }
      bench.Edge();
    });
    entered.pop_back();
    entered.push_front({enters, zeros});
    if (enable && write) ub[b_row] = data;
    if (enable && !write) expected_ub = ub[b_row];
    if (read) {
      expected_acc = acc[read_row];  // held until the next read
      reads++;
    }
  }

  Bench<Flat> flat;
  Bench<Readable> readable;
  Bench<Packed> packed;
  Random random;
  int rows_percent, weights_percent, zeros_percent, lowest_percent;
  bool extremes;
  std::vector<std::string> ub;             // rows, as they are read in the next cycle
  std::vector<std::vector<uint32_t>> acc;  // as they are once everything has landed
  unsigned half = 0;                       // that rows enter
  uint64_t landed[2] = {0, 0};             // cycle from which a half may be read
  std::vector<std::string> tile, shadow;   // row r: Dim weights
  unsigned shadow_rows = 0, filled = 0, last_acc_row = kAccRows;
  // Whether a row entered, and its products with a zero operand; the last cycle first.
  std::deque<std::pair<bool, uint64_t>> entered;
  std::string expected_ub;
  std::vector<uint32_t> expected_acc;
  uint64_t rows = 0, tiles = 0, reads = 0;
};

template <class Flat, class Readable, class Packed, unsigned kDim>
void Run(uint64_t seed) {
  Lockstep<Flat, Readable, Packed, kDim> l(seed);
  for (int cycle = 0; cycle < 1500; cycle++) l.Cycle();
  SYSTOLE_CHECK(l.rows > 20 && l.tiles > 2 && l.reads > 20, "too little happened");
}

}  // namespace

Test(core, all_agree_and_are_right_dim_2) {
  ForSeeds(40, Run<Vflat2, Vreadable2, Vpacked2, 2>);
}
Test(core, all_agree_and_are_right_dim_4) {
  ForSeeds(40, Run<Vflat4, Vreadable4, Vpacked4, 4>);
}
Test(core, all_agree_and_are_right_dim_8) {
  ForSeeds(30, Run<Vflat8, Vreadable8, Vpacked8, 8>);
}
Test(core, all_agree_and_are_right_dim_16) {
  ForSeeds(20, Run<Vflat16, Vreadable16, Vpacked16, 16>);
}
