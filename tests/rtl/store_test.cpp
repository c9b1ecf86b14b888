// systole_store: what it writes where, strobes, raw rows, and tokens only after the
// response.
#include "Vstore16x16.h"
#include "Vstore16x4.h"
#include "Vstore8x16.h"
#include "unit_bus.h"

using namespace systole;

namespace {

constexpr uint64_t kBase = 0x123456789000;
constexpr unsigned kUbRows = 256;

template <class Top, unsigned kDim, unsigned kBytes>
class Fixture {
 public:
  explicit Fixture(uint64_t seed)
      : bench(seed), random(seed), queue(&bench.top(), &random) {
    bench->base_i = kBase;
    bench->req_ready_i = 0;
    bench->data_ready_i = 0;
    bench->burst_end_i = 0;
    bench->response_i = 0;
    bench->ub_grant_i = 0;
    bench->ub_data_valid_i = 0;
    std::memset(&bench->ub_data_i, 0, kDim);
    bench->raw_valid_i = 0;
    std::memset(&bench->raw_data_i, 0, 4 * kDim);
    bench.Reset();
  }

  void Randomize() {
    req_percent = random.Willingness();
    data_percent = random.Willingness();
    grant_percent = random.Willingness();
    raw_percent = random.Willingness();
    response_percent = random.Willingness();
    queue.percent = random.Willingness();
  }

  uint8_t UbByte(unsigned row, unsigned lane) const {
    return Background(row * 4096 + lane);
  }

  unsigned RawLanes(const Copy &c) const { return c.raw_lanes ? c.raw_lanes : kDim; }

  Copy AnyCopy() {
    Copy c;
    c.give = random.Below(32);
    c.raw = random.Percent(40);
    if (c.raw && random.Percent(60)) {  // whole beats of each row
      c.raw_lanes = random.Between(1, 4 * kDim / kBytes) * kBytes / 4;
    }
    if (!c.raw && random.Percent(20)) c.raw_lanes = random.Below(512);  // not looked at
    c.rows = random.Between(1, 20);
    c.lines = random.Between(1, 4);
    c.blocks = random.Between(1, 3);
    // Copies, blocks and lines do not overlap in memory.
    c.offset = area + random.Below(64) * kBytes;
    area += 1 << 20;
    c.line_stride = 8192 + random.Below(64) * kBytes;
    c.block_stride = 65536 + random.Below(64) * kBytes;
    if (random.Percent(30)) {  // contiguous, as far as beats allow
      const uint64_t line = uint64_t{c.rows} * (c.raw ? 4 * RawLanes(c) : kDim);
      c.line_stride = (line + kBytes - 1) / kBytes * kBytes;
      c.block_stride = c.line_stride * c.lines;
    }
    c.ub_row = 128;
    c.ub_line_stride = static_cast<int>(random.Between(0, 20)) - 10;
    c.ub_block_stride = static_cast<int>(random.Between(0, 40)) - 20;
    return c;
  }

  void Ask(const Copy &c) {
    queue.instructions.push_back(c.Encode());
    for (unsigned i = c.blocks * c.lines; i; i--) request_owners.push_back(asked);
    asked++;
    for (unsigned b = 0; b < c.blocks; b++) {
      for (unsigned l = 0; l < c.lines; l++) {
        uint64_t address = kBase + c.offset + b * c.block_stride + l * c.line_stride;
        for (unsigned r = 0; r < c.rows; r++) {
          if (c.raw) {
            std::string row(4 * kDim, 0);
            random.Fill(&row[0], row.size());
            raw_rows.push_back(row);
            for (unsigned i = 0; i < 4 * RawLanes(c); i++)
              expected[address++] = static_cast<uint8_t>(row[i]);
          } else {
            const unsigned row = static_cast<unsigned>(
                static_cast<int>(c.ub_row + r) + static_cast<int>(b) * c.ub_block_stride +
                static_cast<int>(l) * c.ub_line_stride);
            for (unsigned i = 0; i < kDim; i++) expected[address++] = UbByte(row, i);
          }
        }
      }
    }
  }

  void Cycle() {
    queue.Drive();
    bench->req_ready_i = random.Percent(req_percent);
    bench->response_i = 0;
    if (owed_responses > 0 && random.Percent(response_percent)) {
      bench->response_i = 1;
      owed_responses--;
    }
    const bool answered = bench->response_i;
    if (!bench->raw_valid_i && !raw_rows.empty() && random.Percent(raw_percent)) {
      bench->raw_valid_i = 1;
      std::memcpy(&bench->raw_data_i, raw_rows.front().data(), 4 * kDim);
    }
    // The buffer answers two cycles after the grant.
    bench->ub_data_valid_i = on_the_way[1] >= 0;
    if (on_the_way[1] >= 0) {
      for (unsigned i = 0; i < kDim; i++) {
        reinterpret_cast<uint8_t *>(&bench->ub_data_i)[i] =
            UbByte(static_cast<unsigned>(on_the_way[1]), i);
      }
    } else {
      random.Fill(&bench->ub_data_i, kDim);
    }
    bench->ub_grant_i = 0;
    bench->data_ready_i = 0;
    bench->burst_end_i = 0;
    bench.Settle();
    bench->ub_grant_i = bench->ub_valid_o && random.Percent(grant_percent);
    // The write master has at most 16 bursts in flight.
    bench->data_ready_i =
        !places.empty() && owed_responses < 16 && random.Percent(data_percent);
    bench->burst_end_i =
        bench->data_valid_o && bench->data_ready_i && places.front().last;
    bench.Settle();

    if (answered) {  // the write master reports an error in this cycle
      SYSTOLE_CHECK(bench->answer_index_o == answer_owners.front(),
                    "answer_index_o is %u for a response to %u", bench->answer_index_o,
                    answer_owners.front());
      answer_owners.pop_front();
    }
    on_the_way[1] = on_the_way[0];
    on_the_way[0] = bench->ub_grant_i ? static_cast<int>(bench->ub_row_o) : -1;

    if (waits) {
      SYSTOLE_CHECK(bench->data_valid_o &&
                        std::string(reinterpret_cast<char *>(&bench->data_o), kBytes) ==
                            wait_data &&
                        bench->strb_o == wait_strobe,
                    "a beat changed or vanished before it was taken");
    }
    waits = bench->data_valid_o && !bench->data_ready_i;
    wait_data.assign(reinterpret_cast<char *>(&bench->data_o), kBytes);
    wait_strobe = bench->strb_o;
    if (bench->data_valid_o && bench->data_ready_i) {
      for (unsigned i = 0; i < kBytes; i++) {
        if (bench->strb_o >> i & 1) {
          memory[places.front().address + i] =
              reinterpret_cast<const uint8_t *>(&bench->data_o)[i];
          bytes_written++;
        }
      }
      if (places.front().last) answer_owners.push_back(places.front().owner);
      places.pop_front();
      beats++;
    }
    if (bench->burst_end_i) owed_next++;
    if (bench->req_valid_o && bench->req_ready_i) {
      SYSTOLE_CHECK(bench->req_beats_o > 0 && bench->req_addr_o % kBytes == 0, "request");
      for (const Burst &burst : Cut(bench->req_addr_o, bench->req_beats_o, kBytes)) {
        for (unsigned i = 0; i < burst.beats; i++) {
          places.push_back({burst.address + uint64_t{i} * kBytes, i + 1 == burst.beats,
                            request_owners.front()});
        }
      }
      request_owners.pop_front();
      requests++;
    }
    const bool raw_taken = bench->raw_valid_i && bench->raw_ready_o;
    if (raw_taken) raw_rows.pop_front();
    align_errors += bench->align_error_o;
    range_errors += bench->range_error_o;
    if (bench->range_error_o) detail = bench->error_detail_o;
    if (bench->range_error_o || bench->align_error_o) error_index = bench->index_o;
    SYSTOLE_CHECK(bench->owed_o == (owed_responses + answered > 0), "owed_o is %d",
                  bench->owed_o);
    queue.Sample();
    bench.Edge();
    queue.Advance();
    owed_responses += owed_next;
    owed_next = 0;
    if (raw_taken) bench->raw_valid_i = 0;
  }

  void Finish() {
    for (uint64_t begin = bench.cycle();
         !queue.instructions.empty() || !queue.gives.empty();) {
      SYSTOLE_CHECK(bench.cycle() - begin < 200000, "it does not come to an end");
      Cycle();
    }
    SYSTOLE_CHECK(places.empty(), "done with beats to come");
    SYSTOLE_CHECK(owed_responses == 0, "done before the last response");
    SYSTOLE_CHECK(raw_rows.empty(), "raw rows are left");
    for (int i = 0; i < 3; i++) Cycle();
    SYSTOLE_CHECK(!bench->busy_o, "busy_o stays");
    SYSTOLE_CHECK(memory == expected, "memory holds %zu bytes, expected %zu",
                  memory.size(), expected.size());
    SYSTOLE_CHECK(bytes_written == expected.size(), "a byte was written twice");
    SYSTOLE_CHECK(align_errors == 0 && range_errors == 0, "an error that nobody made");
  }

  struct Place {
    uint64_t address;
    bool last;       // of its burst
    unsigned owner;  // number of the instruction
  };
  Bench<Top> bench;
  Random random;
  Queue<Top> queue;
  int req_percent = 100, data_percent = 100, grant_percent = 100, raw_percent = 100,
      response_percent = 100;
  std::deque<Place> places;
  std::deque<std::string> raw_rows;
  std::unordered_map<uint64_t, uint8_t> memory, expected;
  uint64_t bytes_written = 0, beats = 0, requests = 0;
  unsigned asked = 0, error_index = 0;
  std::deque<unsigned> request_owners;  // of requests still to come
  std::deque<unsigned> answer_owners;   // of bursts that wait for their response

  uint64_t owed_responses = 0, owed_next = 0;
  int align_errors = 0, range_errors = 0;
  unsigned detail = 0;
  int on_the_way[2] = {-1, -1};
  bool waits = false;
  std::string wait_data;
  uint64_t wait_strobe = 0;
  uint64_t area = 0;
};

using Same = Fixture<Vstore16x16, 16, 16>;
using Scatter = Fixture<Vstore16x4, 16, 4>;
using Join = Fixture<Vstore8x16, 8, 16>;

template <class F>
void RandomTraffic(uint64_t seed) {
  F f(seed);
  f.Randomize();
  for (uint64_t i = f.random.Between(1, 8); i; i--) f.Ask(f.AnyCopy());
  f.Finish();
}

// Tokens wait for the response of the instruction's own last burst, however late.
template <class F>
void TokensWait() {
  F f(1);
  f.response_percent = 0;
  Copy c;
  c.rows = 8;
  c.give = 1;
  c.line_stride = c.block_stride = 4096;
  f.Ask(c);
  c.offset = 1 << 20;
  c.give = 2;
  c.lines = 3;
  f.Ask(c);
  for (int i = 0; i < 500; i++) f.Cycle();
  cr_assert_eq(f.owed_responses, 4, "%d responses owed", (int)f.owed_responses);
  cr_assert_eq(f.queue.done, 0);
  for (unsigned responses = 1; responses <= 4; responses++) {
    f.response_percent = 100;
    f.Cycle();
    f.response_percent = 0;
    for (int i = 0; i < 20; i++) f.Cycle();
    cr_assert_eq(f.queue.done, responses == 4 ? 2u : 1u, "%u done after %u responses",
                 f.queue.done, responses);
  }
  f.Finish();
}

template <class F>
void BeatACycle(unsigned raw, unsigned beats_expected, unsigned raw_lanes = 0) {
  F f(1);
  Copy c;
  c.raw_lanes = raw_lanes;
  c.rows = 100;
  c.raw = raw;
  c.lines = 2;
  c.line_stride = 8192;
  c.ub_line_stride = 100;
  f.Ask(c);
  f.Finish();
  cr_assert_eq(f.beats, beats_expected, "%d beats", (int)f.beats);
  cr_assert_leq(f.bench.cycle(), 3 + beats_expected + 20, "%d cycles for %u beats",
                (int)f.bench.cycle(), beats_expected);
}

template <class F>
void Misaligned(uint64_t seed, unsigned bytes) {
  F f(seed);
  f.Ask(f.AnyCopy());  // instruction 0 is good
  f.Finish();
  f.requests = f.beats = 0;
  Copy c;
  c.rows = 3;
  if (seed % 4 == 3) {
    c.raw = 1;
    c.raw_lanes = bytes / 4 + f.random.Between(1, bytes / 4 - 1);
  } else {
    (seed % 4 == 0   ? c.offset
     : seed % 4 == 1 ? c.line_stride
                     : c.block_stride) =
        f.random.Between(1, bytes - 1) + f.random.Below(16) * bytes;
  }
  f.queue.instructions.push_back(c.Encode());
  for (int i = 0; i < 50; i++) f.Cycle();
  SYSTOLE_CHECK(f.align_errors == 1, "%d alignment errors", f.align_errors);
  SYSTOLE_CHECK(f.requests == 0 && f.beats == 0 && f.queue.done == 1,
                "a misaligned copy does something");
  SYSTOLE_CHECK(f.error_index == 1, "the error names instruction %u", f.error_index);
}

}  // namespace

Test(store, memory_under_back_pressure_row_is_a_beat) {
  ForSeeds(60, RandomTraffic<Same>);
}
Test(store, memory_under_back_pressure_row_is_four_beats) {
  ForSeeds(60, RandomTraffic<Scatter>);
}
Test(store, memory_under_back_pressure_beat_is_two_rows) {
  ForSeeds(60, RandomTraffic<Join>);
}

Test(store, tokens_wait_for_the_last_response) {
  TokensWait<Same>();
  TokensWait<Join>();
}

Test(store, a_beat_every_cycle) {
  BeatACycle<Same>(0, 200);
  BeatACycle<Same>(1, 800);
  BeatACycle<Same>(1, 600, 12);
  BeatACycle<Same>(1, 200, 4);
  BeatACycle<Scatter>(0, 800);
  BeatACycle<Scatter>(1, 200, 1);
  BeatACycle<Join>(1, 400);
}

Test(store, misaligned_copies_are_refused) {
  ForSeeds(12, [](uint64_t seed) { Misaligned<Same>(seed, 16); });
  ForSeeds(12, [](uint64_t seed) { Misaligned<Join>(seed, 16); });
}

Test(store, a_row_beyond_the_buffer_is_an_error) {
  Same f(1);
  Copy c;
  c.ub_row = kUbRows - 2;
  c.rows = 5;
  f.queue.instructions.push_back(c.Encode());
  f.request_owners.push_back(0);
  for (int i = 0; i < 100; i++) f.Cycle();
  cr_assert_gt(f.range_errors, 0);
  cr_assert_eq(f.error_index, 0);
  cr_assert_eq(f.detail, kUbRows);
  cr_assert_eq(f.queue.done, 0);
}
