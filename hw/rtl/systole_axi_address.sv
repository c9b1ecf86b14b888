// Address side of an AXI master: cuts requests into legal bursts and remembers those in flight.
//
// A request is `beats` beats from `addr`. It becomes bursts that end at multiples of BurstBytes
// = min(4096, 256 * AxiBytes), so no burst crosses 4 KiB or has more than 256 beats. Each burst
// goes out on the address channel (AR or AW) and into a ring of Outstanding entries, which has
// three readers' positions: issued (written here), data (write masters: whose beats are being
// sent), retired (the oldest burst whose end has not been seen).
//
// Timing law: a request taken in cycle t shows its first burst in cycle t + 2 at the latest with
// nothing in front of it, then a burst a cycle, across requests too.
// Back-pressure: req_ready_o is a register; two requests wait inside. No burst is issued while
// Outstanding are in flight. ax_valid_o holds with its address until ax_ready_i.
// abort_i (a level, held until idle_o): requests inside and offered are dropped, no new burst is
// issued; the one already on the channel stays until it is taken.
`default_nettype none
`include "systole_assert.svh"

module systole_axi_address #(
    parameter int AxiBytes = 16,    // bytes of a beat, 4 ... 64, a power of two
    parameter int Outstanding = 4   // bursts in flight, a power of two, >= 2
) (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic        abort_i,

    input  logic        req_valid_i,
    output logic        req_ready_o,
    input  logic [63:0] req_addr_i,   // a multiple of AxiBytes
    input  logic [31:0] req_beats_i,  // >= 1

    output logic        ax_valid_o,
    input  logic        ax_ready_i,
    output logic [63:0] ax_addr_o,
    output logic [ 7:0] ax_len_o,     // beats - 1, as AXI counts

    output logic        data_valid_o, // a burst whose beats are not all passed by data_next_i
    output logic [ 7:0] data_len_o,   // its beats - 1
    input  logic        data_next_i,  // all its beats are done

    input  logic        retire_i,     // the oldest burst has ended
    output logic [31:0] oldest_addr_o,// low half of its address
    output logic        busy_o,       // a burst is in flight
    output logic        wake_o,       // this cycle changes something here, data_next_i and retire_i apart
    output logic        idle_o        // no burst in flight and no request inside
);

  localparam int ByteBits = $clog2(AxiBytes);
  localparam int BurstBeats = AxiBytes > 16 ? 4096 / AxiBytes : 256;
  localparam int IndexBits = $clog2(BurstBeats);
  localparam int PtrBits = $clog2(Outstanding);

  initial
    if (AxiBytes < 4 || AxiBytes > 64 || 2 ** ByteBits != AxiBytes)
      $fatal(1, "systole_axi_address: AxiBytes must be 4, 8, 16, 32 or 64");
  initial
    if (Outstanding < 2 || 2 ** PtrBits != Outstanding)
      $fatal(1, "systole_axi_address: Outstanding must be a power of two, at least 2");

  // The request being cut, and the one behind it (req_ready_o is low while there is one).
  logic        now_valid_q;
  logic [63:0] now_addr_q;
  logic [31:0] now_beats_q;
  logic [63:0] next_addr_q;
  logic [31:0] next_beats_q;

  // One bit more than an index, so that full and empty differ.
  logic [PtrBits:0] issued_q;
  logic [PtrBits:0] sent_q;
  logic [PtrBits:0] retired_q;
  logic [31:0] ring_addr_q[0:Outstanding-1];
  logic [7:0] ring_len_q[0:Outstanding-1];

  logic [IndexBits:0] to_boundary;
  logic               last_burst;
  logic [IndexBits:0] burst_beats;
  logic               may_issue;

  assign to_boundary = (IndexBits + 1)'(BurstBeats) - {1'b0, now_addr_q[ByteBits+:IndexBits]};
  assign last_burst = now_beats_q <= 32'(to_boundary);
  assign burst_beats = last_burst ? now_beats_q[IndexBits:0] : to_boundary;
  assign may_issue = now_valid_q && !abort_i
      && (PtrBits + 1)'(issued_q - retired_q) != (PtrBits + 1)'(Outstanding);

  assign data_valid_o = sent_q != issued_q;
  assign data_len_o = ring_len_q[sent_q[PtrBits-1:0]];
  assign oldest_addr_o = ring_addr_q[retired_q[PtrBits-1:0]];
  assign busy_o = retired_q != issued_q;
  assign wake_o = abort_i || req_valid_i || now_valid_q || !req_ready_o || ax_valid_o;
  assign idle_o = !busy_o && !now_valid_q && req_ready_o;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      ax_valid_o  <= 1'b0;
      issued_q    <= '0;
      sent_q      <= '0;
      retired_q   <= '0;
      now_valid_q <= 1'b0;
      req_ready_o <= 1'b1;
    end else begin
      if (!ax_valid_o || ax_ready_i) begin
        ax_valid_o <= may_issue;
        if (may_issue) begin
          ax_addr_o <= now_addr_q;
          ax_len_o <= 8'(burst_beats - 1'b1);
          ring_addr_q[issued_q[PtrBits-1:0]] <= now_addr_q[31:0];
          ring_len_q[issued_q[PtrBits-1:0]] <= 8'(burst_beats - 1'b1);
          issued_q <= issued_q + 1'b1;
        end
      end
      if (data_next_i) sent_q <= sent_q + 1'b1;
      if (retire_i) retired_q <= retired_q + 1'b1;

      if (abort_i) begin
        now_valid_q <= 1'b0;
        req_ready_o <= 1'b1;
      end else if (!now_valid_q
                   || (may_issue && last_burst && (!ax_valid_o || ax_ready_i))) begin
        if (req_ready_o) begin
          now_valid_q <= req_valid_i;
          if (req_valid_i) begin
            now_addr_q  <= req_addr_i;
            now_beats_q <= req_beats_i;
          end
        end else begin
          now_valid_q <= 1'b1;
          now_addr_q  <= next_addr_q;
          now_beats_q <= next_beats_q;
          req_ready_o <= 1'b1;
        end
      end else begin
        if (may_issue && (!ax_valid_o || ax_ready_i)) begin
          // What follows a burst that is not the last begins at a boundary.
          now_addr_q  <= {now_addr_q[63:ByteBits+IndexBits] + 1'b1, {(ByteBits + IndexBits) {1'b0}}};
          now_beats_q <= now_beats_q - 32'(to_boundary);
        end
        if (req_valid_i && req_ready_o) begin
          next_addr_q  <= req_addr_i;
          next_beats_q <= req_beats_i;
          req_ready_o  <= 1'b0;
        end
      end
    end
  end

  `SYSTOLE_ASSERT(RequestsHaveBeats, !req_valid_i || req_beats_i != '0)
  `SYSTOLE_ASSERT(RequestsStartOnABeat, !req_valid_i || req_addr_i[ByteBits-1:0] == '0)
  `SYSTOLE_ASSERT(BurstsStayInside4KiB,
                  !ax_valid_o || 13'(ax_addr_o[11:0]) + {13'(ax_len_o) << ByteBits} < 13'd4096)
  `SYSTOLE_ASSERT(OnlyBurstsInFlightEnd, !retire_i || busy_o)
  `SYSTOLE_ASSERT(OnlyBurstsInFlightAreFilled, !data_next_i || data_valid_o)
  `SYSTOLE_ASSERT_HOLDS(AddressHoldsUntilTaken, ax_valid_o, ax_ready_i, {ax_addr_o, ax_len_o}, 72)
`ifdef SYSTOLE_ASSERTIONS
  logic aborting_q;
  initial aborting_q = 1'b0;
  always_ff @(posedge clk_i) aborting_q <= rst_ni && abort_i && !idle_o;
  `SYSTOLE_ASSERT(AbortHoldsUntilIdle, !aborting_q || abort_i || idle_o)
`endif

endmodule

`default_nettype wire
