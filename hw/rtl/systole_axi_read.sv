// AXI read master for one client: requests of any length in, beats in order out.
//
// Requests are cut into bursts by systole_axi_address (4 KiB, 256 beats, Outstanding in flight).
// Data pass straight through: data_valid_o follows r_valid_i and r_ready_o follows data_ready_i,
// so the pins of a kernel want a systole_skid in front of R (ar_ready_i needs none).
//
// Timing law: AR at most two cycles after a request is taken, then a burst a cycle; a beat is
// with the client in the cycle in which it stands on R; one beat a cycle is sustained.
// Back-pressure: data_ready_i low stops R. Behind systole_axi_read_arbiter a client must only
// request what it can take without waiting for the other client.
// Errors: a beat with SLVERR or DECERR is handed out like any other; one cycle later error_o is
// up for one cycle (once a burst), with the kind and the address of the burst.
// abort_i (a level, held until idle_o): no new AR, requests dropped, data_valid_o low, beats of
// bursts in flight are taken and thrown away until the last one; then idle_o rises.
`default_nettype none
`include "systole_assert.svh"

module systole_axi_read #(
    parameter int AxiBytes = 16,   // bytes of a beat, 4 ... 64, a power of two
    parameter int Outstanding = 4  // bursts in flight, a power of two, >= 2
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic                  abort_i,

    input  logic                  req_valid_i,
    output logic                  req_ready_o,
    input  logic [          63:0] req_addr_i,   // a multiple of AxiBytes
    input  logic [          31:0] req_beats_i,  // >= 1

    output logic                  data_valid_o,
    input  logic                  data_ready_i,
    output logic [8*AxiBytes-1:0] data_o,

    output logic                  idle_o,          // nothing requested, nothing in flight
    output logic                  error_o,         // one cycle
    output logic                  error_decode_o,  // 1: DECERR, 0: SLVERR
    output logic [          31:0] error_addr_o,    // low half of the failing burst's address
    output logic                  wake_o,          // this cycle changes something here
    output logic                  beat_o,          // a beat was taken from R in this cycle

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

  logic [31:0] oldest_addr;
  logic        busy;
  logic        address_wake;
  logic        unused_data_valid;
  logic [ 7:0] unused_data_len;

  // The burst on R has already been reported.
  logic        reported_q;

  assign data_valid_o = r_valid_i && !abort_i;
  assign data_o = r_data_i;
  assign r_ready_o = data_ready_i || abort_i;
  assign beat_o = r_valid_i && r_ready_o;
  assign wake_o = address_wake || r_valid_i || error_o;

  systole_axi_address #(
      .AxiBytes(AxiBytes),
      .Outstanding(Outstanding)
  ) u_address (
      .clk_i,
      .rst_ni,
      .abort_i,
      .req_valid_i,
      .req_ready_o,
      .req_addr_i,
      .req_beats_i,
      .ax_valid_o(ar_valid_o),
      .ax_ready_i(ar_ready_i),
      .ax_addr_o(ar_addr_o),
      .ax_len_o(ar_len_o),
      .data_valid_o(unused_data_valid),
      .data_len_o(unused_data_len),
      .data_next_i(1'b0),
      .retire_i(beat_o && r_last_i),
      .oldest_addr_o(oldest_addr),
      .busy_o(busy),
      .wake_o(address_wake),
      .idle_o
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      error_o    <= 1'b0;
      reported_q <= 1'b0;
    end else begin
      error_o <= beat_o && r_resp_i[1] && !reported_q;
      if (beat_o) begin
        reported_q <= !r_last_i && (reported_q || r_resp_i[1]);
        if (r_resp_i[1]) begin
          error_decode_o <= r_resp_i[0];
          error_addr_o   <= oldest_addr;
        end
      end
    end
  end

  `SYSTOLE_ASSERT(BeatsComeOnlyForBurstsInFlight, !r_valid_i || busy)

endmodule

`default_nettype wire
