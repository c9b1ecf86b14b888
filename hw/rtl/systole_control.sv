// AXI4-Lite slave: start, interrupt, arguments, and what the host may read.
//
// The register map is systole_pkg (Reg*). 0x00 ... 0x0C follow Vitis ap_ctrl_hs:
//   control, bit 0  start: set by writing 1, falls when the kernel accepts it (at once, or when
//                   the run before has ended)
//            bit 1  done: set at the end of a run, cleared by reading this register
//            bit 2  idle: no run and none wanted
//            bit 3  ready: the arguments may be rewritten; rises with done, cleared alike
//   interrupt enable, mask and status: an event whose mask bit is set raises its status bit,
//   writing 1 toggles it; interrupt_o is up while it is enabled and any status bit is set.
// Arguments take byte strobes. Writing anything else, and unmapped addresses, is ignored;
// reading unmapped addresses gives 0. Every response is OKAY. The two low address bits do not
// count. A 64-bit counter is two reads, so it is meant to be read when no run is on.
//
// start_o is up for one cycle; the kernel must take its arguments from there on (they are the
// registers themselves) and answer with done_i, once, in a later cycle.
//
// Timing law: a read answers in the cycle after its address, a write two cycles after the later
// of address and data; start_o follows the answer's first cycle by one. One access at a time.
// Back-pressure: every output is a register and no input of the bus is used outside the clocked
// process; each ready falls after its transfer until the answer has been taken.
`default_nettype none
`include "systole_assert.svh"

module systole_control #(
    parameter int Dim = 16,          // array rows and columns, 2 ... 256, a power of two
    parameter int UbRows = 16384,    // rows of the unified buffer
    parameter int AccRows = 2048,    // accumulator rows, both halves together
    parameter int WeightTiles = 16,  // tiles in the weight FIFO
    parameter int AxiBytes = 16,     // bytes of a beat, 4 ... 64, a power of two
    parameter int FlatArray = 1,     // 1: the fast-simulating array, 0: the readable one
    parameter int Watchdog = 65536,  // cycles without progress that end a run
    parameter int Features = 0       // see Feature bits in systole_pkg
) (
    input  logic        clk_i,
    input  logic        rst_ni,

    input  logic        aw_valid_i,
    output logic        aw_ready_o,
    input  logic [11:0] aw_addr_i,
    input  logic        w_valid_i,
    output logic        w_ready_o,
    input  logic [31:0] w_data_i,
    input  logic [ 3:0] w_strb_i,
    output logic        b_valid_o,
    input  logic        b_ready_i,
    output logic [ 1:0] b_resp_o,
    input  logic        ar_valid_i,
    output logic        ar_ready_o,
    input  logic [11:0] ar_addr_i,
    output logic        r_valid_o,
    input  logic        r_ready_i,
    output logic [31:0] r_data_o,
    output logic [ 1:0] r_resp_o,
    output logic        interrupt_o,

    output logic        start_o,
    output logic [63:0] program_o,
    output logic [63:0] weights_o,
    output logic [63:0] activations_o,
    output logic [31:0] instructions_o,
    input  logic        busy_i,  // the kernel cannot start (it may still drain)
    input  logic        done_i,  // one cycle: the run has ended

    input  logic [ 7:0] error_code_i,
    input  logic [ 7:0] error_unit_i,
    input  logic [31:0] error_index_i,
    input  logic [31:0] error_detail_i,
    // Counter k in bits 64 k ... 64 k + 63; the last one, which moves during a run, has its own port.
    input  logic [64*systole_pkg::CounterInstructions-1:0] counters_i,
    input  logic [63:0] dispatched_i,
    output logic        wake_o  // this cycle changes something here, what the bus asks for apart
);

  localparam int CounterWords = 2 * systole_pkg::CounterInstructions;
  localparam int CounterWordBits = $clog2(CounterWords);
  localparam logic [9:0] FirstCounterWord = 10'(systole_pkg::RegCounters / 4);

  initial
    if (Dim < 2 || Dim > 256 || 2 ** $clog2(Dim) != Dim)
      $fatal(1, "systole_control: Dim must be a power of two, 2 ... 256");
  initial
    if (AxiBytes < 4 || AxiBytes > 64 || 2 ** $clog2(AxiBytes) != AxiBytes)
      $fatal(1, "systole_control: AxiBytes must be 4, 8, 16, 32 or 64");
  initial
    if (FlatArray < 0 || FlatArray > 1)
      $fatal(1, "systole_control: FlatArray must be 0 or 1");
  initial
    if (systole_pkg::RegCounters + 8 * systole_pkg::Counters > systole_pkg::RegSpan
        || systole_pkg::CounterInstructions != systole_pkg::Counters - 1)
      $fatal(1, "systole_control: the counters do not fit into RegSpan");

  logic       start_q;    // wanted by the host, not yet accepted
  logic       running_q;  // from start_o to done_i
  logic       done_q;
  logic       ready_q;
  logic       enable_q;
  logic [1:0] mask_q;
  logic [1:0] status_q;

  // A write waits here until both of its halves are in (each is in when its ready is low).
  logic [ 9:0] write_word_q;
  logic [31:0] write_data_q;
  logic [ 3:0] write_strb_q;

  logic        unused_address;
  assign unused_address = &{1'b0, aw_addr_i[1:0], ar_addr_i[1:0]};

  assign b_resp_o = 2'b00;
  assign r_resp_o = 2'b00;

  // Address of a register as the number of its 32-bit word.
  function automatic logic [9:0] word(input int offset);
    word = 10'(offset / 4);
  endfunction

  // The old value with the strobed bytes replaced.
  function automatic logic [31:0] merged(input logic [31:0] old, input logic [31:0] data,
                                         input logic [3:0] strb);
    merged = {
      strb[3] ? data[31:24] : old[31:24],
      strb[2] ? data[23:16] : old[23:16],
      strb[1] ? data[15:8] : old[15:8],
      strb[0] ? data[7:0] : old[7:0]
    };
  endfunction

  // Write channel.
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      aw_ready_o <= 1'b1;
      w_ready_o  <= 1'b1;
      b_valid_o  <= 1'b0;
    end else begin
      if (aw_valid_i && aw_ready_o) begin
        aw_ready_o   <= 1'b0;
        write_word_q <= aw_addr_i[11:2];
      end
      if (w_valid_i && w_ready_o) begin
        w_ready_o    <= 1'b0;
        write_data_q <= w_data_i;
        write_strb_q <= w_strb_i;
      end
      if (!aw_ready_o && !w_ready_o && !b_valid_o) b_valid_o <= 1'b1;
      if (b_valid_o && b_ready_i) begin
        b_valid_o  <= 1'b0;
        aw_ready_o <= 1'b1;
        w_ready_o  <= 1'b1;
      end
    end
  end

  // Registers that the host writes, and the run.
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      start_o        <= 1'b0;
      start_q        <= 1'b0;
      running_q      <= 1'b0;
      done_q         <= 1'b0;
      ready_q        <= 1'b0;
      enable_q       <= 1'b0;
      mask_q         <= '0;
      status_q       <= '0;
      interrupt_o    <= 1'b0;
      program_o      <= '0;  // arguments: a host may read back what it has not written
      weights_o      <= '0;
      activations_o  <= '0;
      instructions_o <= '0;
    end else begin
      interrupt_o <= enable_q && status_q != '0;

      start_o <= 1'b0;
      if (start_q && !running_q && !busy_i) begin
        start_o   <= 1'b1;
        start_q   <= 1'b0;
        running_q <= 1'b1;
      end

      // Reading clears; an end in the same cycle, below, wins.
      if (ar_valid_i && ar_ready_o && ar_addr_i[11:2] == word(systole_pkg::RegControl)) begin
        done_q  <= 1'b0;
        ready_q <= 1'b0;
      end

      if (!aw_ready_o && !w_ready_o && !b_valid_o) begin
        case (write_word_q)
          word(systole_pkg::RegControl):
          if (write_strb_q[0] && write_data_q[0]) start_q <= 1'b1;
          word(systole_pkg::RegInterruptEnable): if (write_strb_q[0]) enable_q <= write_data_q[0];
          word(systole_pkg::RegInterruptMask): if (write_strb_q[0]) mask_q <= write_data_q[1:0];
          word(systole_pkg::RegInterruptStatus):
          if (write_strb_q[0]) status_q <= status_q ^ write_data_q[1:0];
          word(systole_pkg::RegProgram):
          program_o[31:0] <= merged(program_o[31:0], write_data_q, write_strb_q);
          word(systole_pkg::RegProgram + 4):
          program_o[63:32] <= merged(program_o[63:32], write_data_q, write_strb_q);
          word(systole_pkg::RegWeights):
          weights_o[31:0] <= merged(weights_o[31:0], write_data_q, write_strb_q);
          word(systole_pkg::RegWeights + 4):
          weights_o[63:32] <= merged(weights_o[63:32], write_data_q, write_strb_q);
          word(systole_pkg::RegActivations):
          activations_o[31:0] <= merged(activations_o[31:0], write_data_q, write_strb_q);
          word(systole_pkg::RegActivations + 4):
          activations_o[63:32] <= merged(activations_o[63:32], write_data_q, write_strb_q);
          word(systole_pkg::RegInstructions):
          instructions_o <= merged(instructions_o, write_data_q, write_strb_q);
          default: ;
        endcase
      end

      if (done_i) begin
        running_q <= 1'b0;
        done_q    <= 1'b1;
        ready_q   <= 1'b1;
        if (mask_q[0]) status_q[0] <= 1'b1;
        if (mask_q[1]) status_q[1] <= 1'b1;
      end
    end
  end

  // Read channel. The choice is made only when a read arrives.
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      ar_ready_o <= 1'b1;
      r_valid_o  <= 1'b0;
    end else begin
      if (r_valid_o && r_ready_i) begin
        r_valid_o  <= 1'b0;
        ar_ready_o <= 1'b1;
      end
      if (ar_valid_i && ar_ready_o) begin
        ar_ready_o <= 1'b0;
        r_valid_o  <= 1'b1;
        case (ar_addr_i[11:2])
          word(systole_pkg::RegControl):
          r_data_o <= {28'b0, ready_q, !start_q && !running_q && !busy_i, done_q, start_q};
          word(systole_pkg::RegInterruptEnable): r_data_o <= {31'b0, enable_q};
          word(systole_pkg::RegInterruptMask): r_data_o <= {30'b0, mask_q};
          word(systole_pkg::RegInterruptStatus): r_data_o <= {30'b0, status_q};
          word(systole_pkg::RegProgram): r_data_o <= program_o[31:0];
          word(systole_pkg::RegProgram + 4): r_data_o <= program_o[63:32];
          word(systole_pkg::RegWeights): r_data_o <= weights_o[31:0];
          word(systole_pkg::RegWeights + 4): r_data_o <= weights_o[63:32];
          word(systole_pkg::RegActivations): r_data_o <= activations_o[31:0];
          word(systole_pkg::RegActivations + 4): r_data_o <= activations_o[63:32];
          word(systole_pkg::RegInstructions): r_data_o <= instructions_o;
          word(systole_pkg::RegIdentity): r_data_o <= 32'(systole_pkg::IdentityValue);
          word(systole_pkg::RegVersion):
          r_data_o <= {16'b0, 8'(systole_pkg::RtlVersion), 8'(systole_pkg::IsaVersion)};
          word(systole_pkg::RegGeometry):
          r_data_o <= {8'(FlatArray), 8'd1, 8'($clog2(AxiBytes)), 8'($clog2(Dim))};
          word(systole_pkg::RegUbRows): r_data_o <= 32'(UbRows);
          word(systole_pkg::RegAccRows): r_data_o <= 32'(AccRows);
          word(systole_pkg::RegWeightTiles): r_data_o <= 32'(WeightTiles);
          word(systole_pkg::RegFeatures): r_data_o <= 32'(Features);
          word(systole_pkg::RegWatchdog): r_data_o <= 32'(Watchdog);
          word(systole_pkg::RegErrorCode): r_data_o <= {16'b0, error_unit_i, error_code_i};
          word(systole_pkg::RegErrorIndex): r_data_o <= error_index_i;
          word(systole_pkg::RegErrorDetail): r_data_o <= error_detail_i;
          word(systole_pkg::RegCounters + 8 * systole_pkg::CounterInstructions): r_data_o <= dispatched_i[31:0];
          word(systole_pkg::RegCounters + 8 * systole_pkg::CounterInstructions + 4): r_data_o <= dispatched_i[63:32];
          default:
          if (ar_addr_i[11:2] >= FirstCounterWord
              && ar_addr_i[11:2] < FirstCounterWord + 10'(CounterWords))
            r_data_o <=
                counters_i[{CounterWordBits'(ar_addr_i[11:2] - FirstCounterWord), 5'b0}+:32];
          else r_data_o <= '0;
        endcase
      end
    end
  end

  assign wake_o = !rst_ni || !aw_ready_o || !w_ready_o || !ar_ready_o || start_q
      || start_o || done_i || interrupt_o != (enable_q && status_q != '0);

  `SYSTOLE_ASSERT(ARunEndsOnlyAfterItBegan, !done_i || running_q)
  `SYSTOLE_ASSERT_HOLDS(WriteAnswerHoldsUntilTaken, b_valid_o, b_ready_i, b_resp_o, 2)
  `SYSTOLE_ASSERT_HOLDS(ReadAnswerHoldsUntilTaken, r_valid_o, r_ready_i, r_data_o, 32)

endmodule

`default_nettype wire
