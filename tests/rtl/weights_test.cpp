// systole_weights: tiles reach the array whole, in order and never early; parameters; one
// tile every Dim cycles; read data never wait.
#include "Vweights16x16.h"
#include "Vweights16x4.h"
#include "Vweights8x16.h"
#include "unit_bus.h"

using namespace systole;

namespace {

constexpr uint64_t kBase = 0x123456789000;
constexpr unsigned kTiles = 4;  // in the FIFO

template <class Top, unsigned kDim, unsigned kBytes>
class Fixture {
 public:
  explicit Fixture(uint64_t seed)
      : bench(seed),
        random(seed),
        reader(UnitReadPinsOf(bench.top()), kBytes, &random),
        queue(&bench.top(), &random) {
    bench->base_i = kBase;
    bench->switch_i = 0;
    // A beat of two rows takes two cycles; else nothing waits.
    reader.most_wait = kBytes > kDim ? 1 : 0;
    bench.Reset();
  }

  void Randomize() {
    reader.req_percent = random.Willingness();
    reader.data_percent = random.Willingness();
    reader.latency = random.Between(1, 60);
    queue.percent = random.Willingness();
    switch_percent = random.Percent(50) ? 100 : static_cast<int>(random.Between(1, 20));
  }

  void AskTiles(unsigned give, uint64_t offset, unsigned tiles) {
    Instruction i;
    queue.instructions.push_back(i.Set(SYSTOLE_FIELD(GIVE), give)
                                     .Set(SYSTOLE_FIELD(WEIGHTS_OFFSET), offset)
                                     .Set(SYSTOLE_FIELD(WEIGHTS_TILES), tiles));
    for (unsigned row = 0; row < tiles * kDim; row++) {
      rows.push_back(kBase + offset + uint64_t{row} * kDim);
    }
    beats_wanted += uint64_t{tiles} * kDim * kDim / kBytes;
    owners.insert(owners.end(), tiles * kDim * kDim / kBytes, asked++);
  }

  void AskParams(unsigned give, uint64_t offset, unsigned bank) {
    Instruction i;
    queue.instructions.push_back(i.Set(SYSTOLE_FIELD(GIVE), give)
                                     .Set(SYSTOLE_FIELD(WEIGHTS_OFFSET), offset)
                                     .Set(SYSTOLE_FIELD(WEIGHTS_PARAMS), 1)
                                     .Set(SYSTOLE_FIELD(WEIGHTS_BANK), bank));
    const unsigned beats = SYSTOLE_PARAM_BYTES * kDim / kBytes;
    for (unsigned beat = 0; beat < beats; beat++) {
      params.push_back({kBase + offset + uint64_t{beat} * kBytes, bank, beat});
    }
    beats_wanted += beats;
    owners.insert(owners.end(), beats, asked++);
  }

  void AskAnything(uint64_t count) {
    for (; count; count--) {
      const unsigned give = random.Below(32);
      const uint64_t offset = random.Below(1 << 16) * 64;
      if (random.Percent(30)) {
        AskParams(give, offset, random.Below(2));
      } else {
        AskTiles(give, offset, random.Between(1, random.Percent(50) ? 2 : 3 * kTiles));
      }
    }
  }

  void Cycle() {
    queue.Drive();
    reader.Drive();
    bench->switch_i = bench->tile_ready_o && random.Percent(switch_percent);
    bench.Settle();

    SYSTOLE_CHECK(reader.outstanding() * kBytes <=
                      kTiles * kDim * kDim + SYSTOLE_PARAM_BYTES * kDim * 8,
                  "more is asked for than there is room for");
    if (bench->weight_valid_o) {
      SYSTOLE_CHECK(!shadow_full, "a row is shifted into a shadow that is in use");
      SYSTOLE_CHECK(!rows.empty(), "a row that no instruction asked for");
      for (unsigned i = 0; i < kDim; i++) {
        SYSTOLE_CHECK(reinterpret_cast<const uint8_t *>(&bench->weight_row_o)[i] ==
                          Background(rows.front() + i),
                      "wrong weight in lane %u", i);
      }
      rows.pop_front();
      shifted++;
      if (shifted == kDim) last_rows.push_back(bench.cycle());
    } else {
      SYSTOLE_CHECK(shifted == 0, "a tile stops after %u rows", shifted);
    }
    if (shifted == kDim) {
      // The last row is on its way in this very cycle: the tile may be switched.
      SYSTOLE_CHECK(bench->tile_ready_o, "tile_ready_o is late");
      shadow_full = true;
      shifted = 0;
    }
    SYSTOLE_CHECK(bench->tile_ready_o == shadow_full, "tile_ready_o is %d",
                  bench->tile_ready_o);
    if (bench->switch_i) {
      shadow_full = false;
      switches++;
    }
    SYSTOLE_CHECK(!bench->tile_ready_o || bench->tile_here_o, "tile_here_o");

    if (bench->param_valid_o) {
      SYSTOLE_CHECK(!params.empty(), "a parameter that no instruction asked for");
      const Param &p = params.front();
      SYSTOLE_CHECK(bench->param_bank_o == p.bank && bench->param_beat_o == p.beat,
                    "parameter beat %u of bank %u, expected %u of %u",
                    bench->param_beat_o, bench->param_bank_o, p.beat, p.bank);
      for (unsigned i = 0; i < kBytes; i++) {
        SYSTOLE_CHECK(reinterpret_cast<const uint8_t *>(&bench->param_data_o)[i] ==
                          Background(p.address + i),
                      "wrong parameter byte");
      }
      params.pop_front();
    }
    if (beat_before) {  // the read master reports an error in this cycle
      SYSTOLE_CHECK(bench->index_o == owners.front(), "index_o is %u after a beat of %u",
                    bench->index_o, owners.front());
      owners.pop_front();
    }
    beat_before = bench->data_valid_i && bench->data_ready_o;
    errors += bench->error_o;
    if (bench->error_o) error_index = bench->index_o;
    queue.Sample();
    reader.Sample();
    bench.Edge();
    queue.Advance();
    reader.Advance();
  }

  void Finish() {
    for (uint64_t begin = bench.cycle(); !queue.instructions.empty() || !rows.empty() ||
                                         !params.empty() || !queue.gives.empty() ||
                                         shadow_full;) {
      SYSTOLE_CHECK(bench.cycle() - begin < 200000, "it does not come to an end");
      Cycle();
    }
    for (int i = 0; i < 3; i++) Cycle();
    SYSTOLE_CHECK(!bench->busy_o, "busy_o stays");
    SYSTOLE_CHECK(!bench->tile_here_o, "tile_here_o without a tile");
    SYSTOLE_CHECK(reader.beats == beats_wanted && reader.outstanding() == 0,
                  "%llu beats, wanted %llu",
                  static_cast<unsigned long long>(reader.beats),
                  static_cast<unsigned long long>(beats_wanted));
    SYSTOLE_CHECK(errors == 0, "an error that nobody made");
  }

  struct Param {
    uint64_t address;
    unsigned bank, beat;
  };
  Bench<Top> bench;
  Random random;
  Reader reader;
  Queue<Top> queue;
  int switch_percent = 100;
  std::deque<uint64_t> rows;  // addresses of rows to be shifted
  std::deque<Param> params;
  std::vector<uint64_t> last_rows;  // cycles in which a tile was complete
  unsigned shifted = 0;             // rows of the tile that is being shifted
  bool shadow_full = false;
  uint64_t beats_wanted = 0, switches = 0;
  int errors = 0;
  std::deque<unsigned> owners;  // instruction of each beat still to come
  unsigned asked = 0, error_index = 0;
  bool beat_before = false;
};

using Same = Fixture<Vweights16x16, 16, 16>;
using Gather = Fixture<Vweights16x4, 16, 4>;
using Split = Fixture<Vweights8x16, 8, 16>;

template <class F>
void RandomTraffic(uint64_t seed) {
  F f(seed);
  f.Randomize();
  f.AskAnything(f.random.Between(1, 8));
  f.Finish();
}

template <class F>
void TileEveryDim(unsigned dim) {
  F f(1);
  f.reader.latency = 8;  // the FIFO of this build covers no more
  const unsigned tiles = 40;
  for (unsigned i = 0; i < tiles / 4; i++) f.AskTiles(0, i * 4 * dim * dim, 4);
  f.Finish();
  cr_assert_eq(f.last_rows.size(), tiles);
  cr_assert_leq(f.last_rows.back() - f.last_rows[4], (tiles - 5) * dim,
                "%d cycles for %u tiles", (int)(f.last_rows.back() - f.last_rows[4]),
                tiles - 5);
}

}  // namespace

Test(weights, tiles_and_parameters_under_back_pressure_row_is_a_beat) {
  ForSeeds(60, RandomTraffic<Same>);
}
Test(weights, tiles_and_parameters_under_back_pressure_row_is_four_beats) {
  ForSeeds(60, RandomTraffic<Gather>);
}
Test(weights, tiles_and_parameters_under_back_pressure_beat_is_two_rows) {
  ForSeeds(60, RandomTraffic<Split>);
}

Test(weights, a_tile_every_dim_cycles) {
  TileEveryDim<Same>(16);
  TileEveryDim<Split>(8);
}

Test(weights, a_full_fifo_stops_the_requests_and_nothing_else) {
  ForSeeds(10, [](uint64_t seed) {
    Same f(seed);
    f.switch_percent = 0;
    f.AskTiles(1, 0, 3 * kTiles);
    for (int i = 0; i < 1000; i++) f.Cycle();
    // The FIFO is full, and one tile is in the shadow.
    SYSTOLE_CHECK(f.reader.beats == (kTiles + 1) * 16, "%llu rows were read",
                  static_cast<unsigned long long>(f.reader.beats));
    f.switch_percent = 100;
    f.Finish();
  });
}

Test(weights, a_misaligned_offset_is_refused) {
  ForSeeds(10, [](uint64_t seed) {
    Same f(seed);
    f.AskTiles(0, 0, 1);
    f.Finish();
    f.reader.requests.clear();
    Instruction i;
    f.queue.instructions.push_back(
        i.Set(SYSTOLE_FIELD(WEIGHTS_OFFSET), f.random.Between(1, 15) + 64)
            .Set(SYSTOLE_FIELD(WEIGHTS_TILES), 2));
    for (int k = 0; k < 50; k++) f.Cycle();
    SYSTOLE_CHECK(f.errors == 1 && f.reader.requests.empty(), "%d errors", f.errors);
    SYSTOLE_CHECK(f.error_index == 1, "the error names instruction %u", f.error_index);
  });
}
