// Command fetch: reads the program, 64 bytes an instruction, ahead of the dispatcher.
//
// Asks for up to four instructions at a time, and only for what its queue of eight has room for,
// so that read data never wait (the port is shared with the weight unit).
// Timing: an instruction is at head_o two cycles after its last beat. pop_i takes it.
`include "systole_assert.svh"
`default_nettype none

module systole_fetch #(
  parameter int AxiBytes  = 16,
  localparam int InstrBits = systole_pkg::InstructionBits
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  start_i,         // one cycle
  input  logic [63:0]           program_i,       // address of the first instruction
  input  logic [31:0]           instructions_i,

  output logic                  req_valid_o,
  input  logic                  req_ready_i,
  output logic [63:0]           req_addr_o,
  output logic [31:0]           req_beats_o,
  input  logic                  data_valid_i,
  output logic                  data_ready_o,
  input  logic [8*AxiBytes-1:0] data_i,

  output logic                  valid_o,
  output logic [InstrBits-1:0]  head_o,
  input  logic                  pop_i,
  output logic [31:0]           index_o,         // instruction whose data came last (for error reports)
  output logic                  wake_o,          // this cycle changes something here
  output logic                  busy_o
);
  localparam int Beats     = systole_pkg::InstructionBytes / AxiBytes;
  localparam int BeatBits  = (Beats > 1) ? $clog2(Beats) : 1;
  localparam int Ahead     = 8; // instructions asked for and not yet popped
  localparam int Piece     = 4; // instructions per request

  logic [63:0]          addr_q;
  logic [31:0]          left_q;     // instructions not yet asked for
  logic [3:0]           ahead_q;    // asked for and not yet popped
  logic [2:0]           piece_q;    // ... of them in the next request; 0: none is left
  logic                 request;
  logic [BeatBits-1:0]  beat_q;
  logic [InstrBits-1:0] word_q;
  logic                 word_valid_q;
  logic                 queue_full;
  logic                 unused_offset;
  logic [31:0]          arrived_q;  // instructions that have arrived whole

  assign unused_offset = &{1'b0, program_i[5:0]};
  assign req_valid_o = piece_q != 3'd0 && ahead_q + 4'(piece_q) <= 4'(Ahead);
  assign req_addr_o  = addr_q;
  assign req_beats_o = 32'(piece_q) * Beats;
  assign request     = req_valid_o && req_ready_i;
  assign data_ready_o = 1'b1;

  always_ff @(posedge clk_i) begin
    word_valid_q <= 1'b0;
    if (start_i) begin
      addr_q <= {program_i[63:6], 6'd0}; // the kernel refuses another one
      left_q <= instructions_i;
      piece_q <= (instructions_i[31:2] != '0) ? 3'(Piece) : {1'b0, instructions_i[1:0]};
    end
    if (request) begin
      addr_q <= addr_q + 64'(32'(piece_q) * systole_pkg::InstructionBytes);
      left_q <= left_q - 32'(piece_q);
      // What left_q less this piece leaves for the next one.
      piece_q <= (left_q[31:3] != '0) ? 3'(Piece) : left_q[2] ? {1'b0, left_q[1:0]} : 3'd0;
    end
    if (request || pop_i) ahead_q <= ahead_q + (request ? 4'(piece_q) : 4'd0) - 4'(pop_i);
    if (data_valid_i) begin
      index_o <= arrived_q;
      word_q[8*AxiBytes*32'(beat_q) +: 8*AxiBytes] <= data_i;
      if (Beats > 1) beat_q <= beat_q + 1'b1;
      if (Beats == 1 || beat_q == BeatBits'(Beats - 1)) begin
        word_valid_q <= 1'b1;
        arrived_q    <= arrived_q + 32'd1;
      end
    end
    if (!rst_ni || start_i) begin
      arrived_q <= '0;
      index_o   <= '0;
      beat_q    <= '0;
    end
    if (!rst_ni) begin
      piece_q      <= '0;
      ahead_q      <= '0;
      word_valid_q <= 1'b0;
    end
  end

  systole_queue #(.Width(InstrBits), .Depth(Ahead)) u_queue (
    .clk_i, .rst_ni,
    .push_i(word_valid_q), .data_i(word_q), .full_o(queue_full),
    .pop_i, .valid_o, .head_o);

  assign wake_o = start_i || req_valid_o || data_valid_i || word_valid_q || pop_i;
  assign busy_o = piece_q != 3'd0 || ahead_q != 4'd0;

  `SYSTOLE_ASSERT(RoomForWhatWasAskedFor, !word_valid_q || !queue_full)

  initial begin
    if (AxiBytes < 4 || AxiBytes > 64 || Beats * AxiBytes != systole_pkg::InstructionBytes)
      $fatal(1, "systole_fetch: AxiBytes must be 4, 8, 16, 32 or 64");
  end
endmodule

`default_nettype wire
