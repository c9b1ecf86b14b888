// AXI write master for one client: requests of any length and beats in order in, bursts out.
//
// Requests are cut into bursts by systole_axi_address (4 KiB, 256 beats, Outstanding in flight).
// Beats go out in the order of the bursts, never for a burst whose AW is not yet on its channel;
// they may leave before that AW is taken, and the AW of later bursts goes ahead of the data.
// The client's beats are not marked: the requests say how they are cut.
//
// Timing law: AW at most two cycles after a request is taken, then a burst a cycle; a beat is on
// W one cycle after the client hands it over; one beat a cycle is sustained.
// Back-pressure: data_ready_o comes from registers and abort_i; beats wait for a request.
// No input of the AXI side is used outside a clocked process. b_ready_o is always up.
// Errors: SLVERR or DECERR on B raises error_o for one cycle, one cycle later.
// abort_i (a level, held until idle_o): no new AW, requests dropped, data_ready_o low; the beats
// that bursts in flight still owe go out with no strobes; idle_o rises after the last response.
`default_nettype none
`include "systole_assert.svh"

module systole_axi_write #(
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

    input  logic                  data_valid_i,
    output logic                  data_ready_o,
    input  logic [8*AxiBytes-1:0] data_i,
    input  logic [  AxiBytes-1:0] strb_i,

    output logic                  idle_o,          // no request, every response has arrived
    output logic                  error_o,         // one cycle
    output logic                  error_decode_o,  // 1: DECERR, 0: SLVERR
    output logic [          31:0] error_addr_o,    // low half of the failing burst's address
    output logic                  wake_o,          // this cycle changes something here, a response apart
    output logic                  beat_o,          // a beat with a strobe was taken in this cycle
    output logic                  burst_end_o,     // the last beat of a burst was taken in this cycle
    output logic                  response_o,      // a response arrived in the cycle before

    output logic                  aw_valid_o,
    input  logic                  aw_ready_i,
    output logic [          63:0] aw_addr_o,
    output logic [           7:0] aw_len_o,
    output logic                  w_valid_o,
    input  logic                  w_ready_i,
    output logic [8*AxiBytes-1:0] w_data_o,
    output logic [  AxiBytes-1:0] w_strb_o,
    output logic                  w_last_o,
    input  logic                  b_valid_i,
    output logic                  b_ready_o,
    input  logic [           1:0] b_resp_i
);

  localparam int BeatBits = 9 * AxiBytes + 1;

  logic        burst_valid;
  logic [ 7:0] burst_len;
  logic [ 7:0] position_q;  // of the next beat in its burst
  logic        last;
  logic        beat_valid;
  logic        slot;
  logic        take;
  logic [31:0] oldest_addr;
  logic        busy;
  logic        address_wake;

  assign last = position_q == burst_len;
  assign beat_valid = burst_valid && (data_valid_i || abort_i);
  assign take = beat_valid && slot;
  assign data_ready_o = burst_valid && slot && !abort_i;
  assign beat_o = data_valid_i && data_ready_o && strb_i != '0;
  assign b_ready_o = 1'b1;
  assign wake_o = address_wake || data_valid_i || w_valid_o || error_o || response_o;
  assign burst_end_o = take && last;

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
      .ax_valid_o(aw_valid_o),
      .ax_ready_i(aw_ready_i),
      .ax_addr_o(aw_addr_o),
      .ax_len_o(aw_len_o),
      .data_valid_o(burst_valid),
      .data_len_o(burst_len),
      .data_next_i(take && last),
      .retire_i(b_valid_i),
      .oldest_addr_o(oldest_addr),
      .busy_o(busy),
      .wake_o(address_wake),
      .idle_o
  );

  // A beat on W must not change when abort_i comes: the choice is made in front of the register.
  systole_skid #(
      .Width(BeatBits)
  ) u_w (
      .clk_i,
      .rst_ni,
      .clear_i(1'b0),
      .valid_i(beat_valid),
      .ready_o(slot),
      .data_i({last, abort_i ? {AxiBytes{1'b0}} : strb_i, data_i}),
      .valid_o(w_valid_o),
      .ready_i(w_ready_i),
      .data_o({w_last_o, w_strb_o, w_data_o})
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      position_q <= '0;
      error_o    <= 1'b0;
      response_o <= 1'b0;
    end else begin
      response_o <= b_valid_i;
      if (take) position_q <= last ? '0 : position_q + 1'b1;
      error_o <= b_valid_i && b_resp_i[1];
      if (b_valid_i && b_resp_i[1]) begin
        error_decode_o <= b_resp_i[0];
        error_addr_o   <= oldest_addr;
      end
    end
  end

  `SYSTOLE_ASSERT(ResponsesComeOnlyForBurstsInFlight, !b_valid_i || busy)
  `SYSTOLE_ASSERT_HOLDS(BeatHoldsUntilTaken, data_valid_i, data_ready_o || abort_i,
                        {data_i, strb_i}, 9 * AxiBytes)

endmodule

`default_nettype wire
