// Two systole_axi_read masters on one AXI read port.
//
// Bursts are granted in turn while both clients ask, so neither waits for more than one burst of
// the other; a queue of owners sends each beat to the client whose burst it belongs to. All
// bursts carry one ID, so beats return in the order of the addresses.
//
// RULE FOR CLIENTS: a client issues a burst only if it can take every beat of it without help
// from the other client (it holds the space, or its consumer never waits). A client that breaks
// this stops the beats of the other one behind its own.
//
// Timing law: AR one cycle after a client's, a burst a cycle; R passes in the same cycle.
// Back-pressure: clients see ready only in the cycle of their grant; it depends on both clients'
// valid and on registers, never on ar_ready_i. At most Outstanding bursts of both are in flight.
`default_nettype none
`include "systole_assert.svh"

module systole_axi_read_arbiter #(
    parameter int AxiBytes = 16,   // bytes of a beat
    parameter int Outstanding = 8  // bursts of both clients in flight, a power of two, >= 2
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,

    input  logic                  c0_ar_valid_i,
    output logic                  c0_ar_ready_o,
    input  logic [          63:0] c0_ar_addr_i,
    input  logic [           7:0] c0_ar_len_i,
    output logic                  c0_r_valid_o,
    input  logic                  c0_r_ready_i,
    output logic [8*AxiBytes-1:0] c0_r_data_o,
    output logic [           1:0] c0_r_resp_o,
    output logic                  c0_r_last_o,

    input  logic                  c1_ar_valid_i,
    output logic                  c1_ar_ready_o,
    input  logic [          63:0] c1_ar_addr_i,
    input  logic [           7:0] c1_ar_len_i,
    output logic                  c1_r_valid_o,
    input  logic                  c1_r_ready_i,
    output logic [8*AxiBytes-1:0] c1_r_data_o,
    output logic [           1:0] c1_r_resp_o,
    output logic                  c1_r_last_o,

    output logic                  ar_valid_o,
    input  logic                  ar_ready_i,
    output logic [          63:0] ar_addr_o,
    output logic [           7:0] ar_len_o,
    input  logic                  r_valid_i,
    output logic                  r_ready_o,
    input  logic [8*AxiBytes-1:0] r_data_i,
    input  logic [           1:0] r_resp_i,
    input  logic                  r_last_i
);

  initial if (AxiBytes < 1) $fatal(1, "systole_axi_read_arbiter: AxiBytes must be at least 1");

  logic        last_q;  // the client that was granted last
  logic        grant;   // the client that is granted if any asks
  logic        asks;
  logic        slot;
  logic        take;
  logic [71:0] chosen;

  logic        owners_full;
  logic        owners_empty;
  logic        owner;
  logic [$clog2(Outstanding):0] unused_owners_count;

  assign asks = c0_ar_valid_i || c1_ar_valid_i;
  assign grant = c1_ar_valid_i && (!c0_ar_valid_i || !last_q);
  assign take = asks && slot && !owners_full;
  assign c0_ar_ready_o = take && !grant;
  assign c1_ar_ready_o = take && grant;
  assign chosen = grant ? {c1_ar_addr_i, c1_ar_len_i} : {c0_ar_addr_i, c0_ar_len_i};

  systole_skid #(
      .Width(72)
  ) u_ar (
      .clk_i,
      .rst_ni,
      .clear_i(1'b0),
      .valid_i(take),
      .ready_o(slot),
      .data_i(chosen),
      .valid_o(ar_valid_o),
      .ready_i(ar_ready_i),
      .data_o({ar_addr_o, ar_len_o})
  );

  systole_fifo #(
      .Width(1),
      .Depth(Outstanding)
  ) u_owners (
      .clk_i,
      .rst_ni,
      .clear_i(1'b0),
      .push_i(take),
      .data_i(grant),
      .full_o(owners_full),
      .pop_i(r_valid_i && r_ready_o && r_last_i),
      .data_o(owner),
      .empty_o(owners_empty),
      .count_o(unused_owners_count)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) last_q <= 1'b1;
    else if (take) last_q <= grant;
  end

  assign c0_r_valid_o = r_valid_i && !owner;
  assign c1_r_valid_o = r_valid_i && owner;
  assign c0_r_data_o = r_data_i;
  assign c1_r_data_o = r_data_i;
  assign c0_r_resp_o = r_resp_i;
  assign c1_r_resp_o = r_resp_i;
  assign c0_r_last_o = r_last_i;
  assign c1_r_last_o = r_last_i;
  assign r_ready_o = owner ? c1_r_ready_i : c0_r_ready_i;

  `SYSTOLE_ASSERT(EveryBeatHasAnOwner, !r_valid_i || !owners_empty)
  `SYSTOLE_ASSERT_HOLDS(AddressOfClient0HoldsUntilTaken, c0_ar_valid_i, c0_ar_ready_o,
                        {c0_ar_addr_i, c0_ar_len_i}, 72)
  `SYSTOLE_ASSERT_HOLDS(AddressOfClient1HoldsUntilTaken, c1_ar_valid_i, c1_ar_ready_o,
                        {c1_ar_addr_i, c1_ar_len_i}, 72)

endmodule

`default_nettype wire
