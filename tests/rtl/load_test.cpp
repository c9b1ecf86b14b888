// systole_load: each row that reaches the unified buffer, and when tokens are given.
#include "Vload16x16.h"
#include "Vload16x4.h"
#include "Vload8x16.h"
#include "unit_bus.h"

using namespace systole;

namespace {

constexpr uint64_t kBase = 0x123456789000;
constexpr unsigned kUbRows = 256;

struct RowWrite {
  unsigned number;  // of the instruction
  unsigned row;
  std::string bytes;
};

template <class Top, unsigned kDim, unsigned kBytes>
class Fixture {
 public:
  static constexpr unsigned kRowsPerBeat = kBytes > kDim ? kBytes / kDim : 1;

  explicit Fixture(uint64_t seed)
      : bench(seed),
        random(seed),
        reader(UnitReadPinsOf(bench.top()), kBytes, &random),
        queue(&bench.top(), &random) {
    bench->base_i = kBase;
    bench->ub_grant_i = 0;
    bench.Reset();
  }

  void Randomize() {
    reader.req_percent = random.Willingness();
    reader.data_percent = random.Willingness();
    reader.latency = random.Between(1, 40);
    queue.percent = random.Willingness();
    grant_percent = random.Willingness();
  }

  Copy AnyCopy() {
    Copy c;
    c.give = random.Below(32);
    c.rows = random.Percent(15) ? 0 : random.Between(1, 20);
    c.lines = random.Between(1, 4);
    c.blocks = random.Between(1, 3);
    c.before = random.Percent(50) ? 0 : random.Between(1, 3);
    c.after = random.Percent(50) ? 0 : random.Between(1, 3);
    if (c.rows + c.before + c.after == 0) c.after = 1;
    c.fill = random.Below(256);
    c.offset = random.Below(1 << 20) * kBytes;
    c.line_stride = random.Below(64) * kBytes;
    c.block_stride = random.Below(1 << 16) * kBytes;
    // Strides may be negative (two's complement), as long as every row is in the buffer.
    const unsigned line = c.before + c.rows + c.after;
    c.ub_row = 128;
    c.ub_line_stride = static_cast<int>(random.Between(0, 20)) - 10;
    c.ub_block_stride = static_cast<int>(random.Between(0, 40)) - 20;
    if (line * c.lines * c.blocks <= kUbRows && random.Percent(50)) {
      c.ub_line_stride = static_cast<int>(line);
      c.ub_block_stride = static_cast<int>(c.lines * line);
      c.ub_row = 0;
    }
    c.lanes = random.Percent(50) ? 0 : random.Between(1, kDim);
    return c;
  }

  void Ask(const Copy &c) {
    queue.instructions.push_back(c.Encode());
    const unsigned number = asked++;
    for (unsigned b = 0; b < c.blocks; b++) {
      for (unsigned l = 0; l < c.lines; l++) {
        for (unsigned r = 0; r < c.before + c.rows + c.after; r++) {
          RowWrite w;
          w.number = number;
          w.row = static_cast<unsigned>(static_cast<int>(c.ub_row + r) +
                                        static_cast<int>(b) * c.ub_block_stride +
                                        static_cast<int>(l) * c.ub_line_stride);
          const bool data = r >= c.before && r < c.before + c.rows;
          for (unsigned i = 0; i < kDim; i++) {
            uint8_t byte = static_cast<uint8_t>(c.fill);
            if (data) {
              byte = Background(kBase + c.offset + b * c.block_stride +
                                l * c.line_stride + uint64_t{r - c.before} * kDim + i);
            }
            if (c.lanes && b + 1 == c.blocks && i >= c.lanes) byte = 0;
            w.bytes.push_back(static_cast<char>(byte));
          }
          expected.push_back(w);
        }
      }
    }
  }

  void Cycle() {
    queue.Drive();
    reader.Drive();
    bench->ub_grant_i = 0;
    bench.Settle();
    // The grant answers in the same cycle, and only to a request.
    bench->ub_grant_i = bench->ub_valid_o && random.Percent(grant_percent);
    bench.Settle();
    if (row_before) {
      SYSTOLE_CHECK(bench->index_o == number_before, "index_o is %u after a row of %u",
                    bench->index_o, number_before);
    }
    row_before = bench->ub_grant_i;
    if (bench->ub_grant_i) {
      number_before = expected.empty() ? 0 : expected.front().number;
      SYSTOLE_CHECK(!expected.empty(), "a row that no instruction asked for");
      const RowWrite &w = expected.front();
      SYSTOLE_CHECK(bench->ub_row_o == w.row, "row %u, expected %u", bench->ub_row_o,
                    w.row);
      std::string bytes(reinterpret_cast<const char *>(&bench->ub_data_o), kDim);
      if (bench->ub_fill_o) bytes.assign(kDim, static_cast<char>(bench->ub_fill_byte_o));
      if (bench->ub_cut_o) {
        for (unsigned i = bench->ub_lanes_o; i < kDim; i++) bytes[i] = 0;
      }
      SYSTOLE_CHECK(bytes == w.bytes, "wrong bytes in row %u", w.row);
      expected.pop_front();
      granted++;
    }
    if (expected.size()) {
      SYSTOLE_CHECK(queue.gives.empty() || bench->busy_o, "not busy with rows to come");
    }
    align_errors += bench->align_error_o;
    range_errors += bench->range_error_o;
    if (bench->range_error_o) detail = bench->error_detail_o;
    if (bench->range_error_o || bench->align_error_o) error_index = bench->index_o;
    queue.Sample();
    reader.Sample();
    bench.Edge();
    queue.Advance();
    reader.Advance();
  }

  void Finish() {
    for (uint64_t begin = bench.cycle();
         !expected.empty() || !queue.gives.empty() || !queue.instructions.empty();) {
      SYSTOLE_CHECK(bench.cycle() - begin < 200000, "it does not come to an end");
      Cycle();
    }
    for (int i = 0; i < 3; i++) Cycle();
    SYSTOLE_CHECK(!bench->busy_o, "busy_o stays");
    SYSTOLE_CHECK(reader.outstanding() == 0, "%zu beats were asked for and not taken",
                  reader.outstanding());
    SYSTOLE_CHECK(align_errors == 0 && range_errors == 0, "an error that nobody made");
  }

  Bench<Top> bench;
  Random random;
  Reader reader;
  Queue<Top> queue;
  int grant_percent = 100;
  std::deque<RowWrite> expected;
  uint64_t granted = 0;
  int align_errors = 0, range_errors = 0;
  unsigned detail = 0, error_index = 0;
  unsigned asked = 0, number_before = 0;
  bool row_before = false;
};

using Same = Fixture<Vload16x16, 16, 16>;
using Gather = Fixture<Vload16x4, 16, 4>;
using Split = Fixture<Vload8x16, 8, 16>;

template <class F>
void RandomTraffic(uint64_t seed) {
  F f(seed);
  f.Randomize();
  for (uint64_t i = f.random.Between(1, 8); i; i--) f.Ask(f.AnyCopy());
  f.Finish();
}

template <class F>
void RowACycle(unsigned beats_per_row) {
  F f(1);
  f.reader.latency = 30;
  Copy c;
  c.rows = 100;
  c.lines = 2;
  c.ub_line_stride = 100;
  c.line_stride = 8192;
  f.Ask(c);
  f.Finish();
  cr_assert_leq(f.bench.cycle(), 3 + 30 + 200 * beats_per_row + 12,
                "%d cycles for 200 rows", (int)f.bench.cycle());
}

template <class F>
void Misaligned(uint64_t seed, unsigned bytes) {
  F f(seed);
  f.Ask(f.AnyCopy());  // instruction 0 is good
  f.Finish();
  f.reader.requests.clear();
  f.granted = 0;
  Copy c;
  c.rows = 3;
  (seed % 3 == 0   ? c.offset
   : seed % 3 == 1 ? c.line_stride
                   : c.block_stride) =
      f.random.Between(1, bytes - 1) + f.random.Below(16) * bytes;
  f.queue.instructions.push_back(c.Encode());
  for (int i = 0; i < 50; i++) f.Cycle();
  SYSTOLE_CHECK(f.align_errors == 1, "%d alignment errors", f.align_errors);
  SYSTOLE_CHECK(f.reader.requests.empty(), "a misaligned copy asks memory");
  SYSTOLE_CHECK(f.granted == 0 && f.queue.done == 1, "a misaligned copy does something");
  SYSTOLE_CHECK(f.error_index == 1, "the error names instruction %u", f.error_index);
}

}  // namespace

Test(load, rows_under_back_pressure_row_is_a_beat) { ForSeeds(60, RandomTraffic<Same>); }
Test(load, rows_under_back_pressure_row_is_four_beats) {
  ForSeeds(60, RandomTraffic<Gather>);
}
Test(load, rows_under_back_pressure_beat_is_two_rows) {
  ForSeeds(60, RandomTraffic<Split>);
}

Test(load, a_row_every_cycle) {
  RowACycle<Same>(1);
  RowACycle<Gather>(4);
  RowACycle<Split>(1);
}

Test(load, misaligned_copies_are_refused) {
  ForSeeds(12, [](uint64_t seed) { Misaligned<Same>(seed, 16); });
  ForSeeds(12, [](uint64_t seed) { Misaligned<Split>(seed, 16); });
}

Test(load, a_row_beyond_the_buffer_is_an_error_and_reset_ends_it) {
  Same f(1);
  Copy c;
  c.ub_row = kUbRows - 2;
  c.rows = 5;
  f.Ask(c);
  for (int i = 0; i < 100; i++) f.Cycle();
  cr_assert_gt(f.range_errors, 0);
  cr_assert_eq(f.detail, kUbRows);
  cr_assert_eq(f.error_index, 0);
  cr_assert_eq(f.granted, 2);
  cr_assert_eq(f.queue.done, 0);
  f.bench.Reset();
  f.reader.Forget();
  f.expected.clear();
  f.row_before = false;
  f.queue.gives.clear();
  f.range_errors = 0;
  c.ub_row = 0;
  f.Ask(c);
  f.Finish();
  cr_assert_eq(f.queue.done, 1);
}
