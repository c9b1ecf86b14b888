// systole_ub_port: who is granted, what reaches the buffer, whose read data come back.
#include <string>

#include "Vubport.h"
#include "bench.h"

using namespace systole;

namespace {
constexpr unsigned kDim = 8, kRows = 64;
}

Test(ub_port, grants_in_the_fixed_order_and_writes_what_was_granted) {
  ForSeeds(40, [](uint64_t seed) {
    Bench<Vubport> bench(seed);
    Random random(seed);
    bench->store_valid_i = bench->residual_valid_i = 0;
    bench->activate_valid_i = bench->load_valid_i = 0;
    bench.Reset();
    const int busy = random.Willingness();
    bool enable = false, write = false;
    unsigned row = 0;
    std::string bytes;
    bool store_data[2] = {false, false}, residual_data[2] = {false, false};
    for (int cycle = 0; cycle < 800; cycle++) {
      bench->store_valid_i = random.Percent(busy) && random.Percent(30);
      bench->residual_valid_i = random.Percent(busy) && random.Percent(30);
      bench->activate_valid_i = random.Percent(busy) && random.Percent(50);
      bench->load_valid_i = random.Percent(busy);
      bench->store_row_i = random.Below(kRows);
      bench->residual_row_i = random.Below(kRows);
      bench->activate_row_i = random.Below(kRows);
      bench->load_row_i = random.Below(kRows);
      random.Fill(&bench->activate_data_i, kDim);
      random.Fill(&bench->load_data_i, kDim);
      bench->load_fill_i = random.Percent(30);
      bench->load_fill_byte_i = random.Bits() & 0xFF;
      bench->load_cut_i = random.Percent(30);
      bench->load_lanes_i = random.Between(1, kDim);
      bench.Settle();

      const int winner = bench->store_valid_i      ? 0
                         : bench->residual_valid_i ? 1
                         : bench->activate_valid_i ? 2
                         : bench->load_valid_i     ? 3
                                                   : 4;
      SYSTOLE_CHECK(bench->store_grant_o == (winner == 0) &&
                        bench->residual_grant_o == (winner == 1) &&
                        bench->activate_grant_o == (winner == 2) &&
                        bench->load_grant_o == (winner == 3),
                    "the grant is not that of requester %d", winner);
      SYSTOLE_CHECK(bench->ub_enable_o == enable, "ub_enable_o is %d",
                    bench->ub_enable_o);
      if (enable) {
        SYSTOLE_CHECK(bench->ub_write_o == write && bench->ub_row_o == row,
                      "wrong access");
        if (write) {
          SYSTOLE_CHECK(
              std::string(reinterpret_cast<char *>(&bench->ub_data_o), kDim) == bytes,
              "wrong data for row %u", row);
        }
      }
      SYSTOLE_CHECK(bench->store_data_o == store_data[1] &&
                        bench->residual_data_o == residual_data[1],
                    "read data belong to somebody else");
      store_data[1] = store_data[0];
      residual_data[1] = residual_data[0];
      store_data[0] = winner == 0;
      residual_data[0] = winner == 1;
      enable = winner < 4;
      write = winner == 2 || winner == 3;
      row = winner == 0   ? bench->store_row_i
            : winner == 1 ? bench->residual_row_i
            : winner == 2 ? bench->activate_row_i
                          : bench->load_row_i;
      if (winner == 2)
        bytes.assign(reinterpret_cast<char *>(&bench->activate_data_i), kDim);
      if (winner == 3) {
        bytes.assign(reinterpret_cast<char *>(&bench->load_data_i), kDim);
        if (bench->load_fill_i)
          bytes.assign(kDim, static_cast<char>(bench->load_fill_byte_i));
        for (unsigned i = bench->load_lanes_i; bench->load_cut_i && i < kDim; i++)
          bytes[i] = 0;
      }
      bench.Edge();
    }
  });
}
