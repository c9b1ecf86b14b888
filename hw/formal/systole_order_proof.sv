// Words leave systole_skid, systole_fifo and systole_queue in the order in which they came, none
// is lost, none is made up. One word of the stream is marked, at any time; it must leave unchanged
// after exactly those that were inside when it came.
//
// Cell 0: systole_skid, 1: systole_fifo, 2: systole_queue. The flags are exact: a word inside can
// be taken, room is offered whenever there is some.
`default_nettype none

module systole_order_proof #(
    parameter int Cell = 0,
    parameter int Width = 2,
    parameter int Depth = 4
) (
    input logic             clk_i,
    input logic             clear_i,
    input logic             offer_i,  // a word is offered (skid), or pushed when there is room
    input logic             want_i,   // the other side takes a word when there is one
    input logic             mark_i,
    input logic [Width-1:0] data_i
);
  localparam int Capacity = Cell == 0 ? 2 : Depth;
  localparam int Bits = $clog2(Capacity) + 1;

  logic rst_ni;
  initial rst_ni = 1'b0;
  always_ff @(posedge clk_i) rst_ni <= 1'b1;

  logic room, there, in, out, clear;
  logic [Width-1:0] data;
  logic [Bits-1:0] inside_q;  // words inside
  assign clear = clear_i && Cell != 2;
  assign in    = rst_ni && offer_i && room && !clear;
  assign out   = rst_ni && want_i && there && !clear;

  if (Cell == 0) begin : g_skid
    systole_skid #(.Width(Width)) u_cell (
        .clk_i, .rst_ni, .clear_i(clear), .valid_i(offer_i), .ready_o(room), .data_i,
        .valid_o(there), .ready_i(want_i), .data_o(data));
    // What is offered is held until it is taken: the rule of the side that offers.
    logic waits_q;
    logic [Width-1:0] data_q;
    initial waits_q = 1'b0;
    always_ff @(posedge clk_i) begin
      waits_q <= rst_ni && offer_i && !room && !clear;
      data_q  <= data_i;
    end
    always @* if (waits_q) assume (offer_i && data_i == data_q);
  end else if (Cell == 1) begin : g_fifo
    logic full, empty;
    logic [Bits-1:0] count;
    assign room  = !full;
    assign there = !empty;
    systole_fifo #(.Width(Width), .Depth(Depth)) u_cell (
        .clk_i, .rst_ni, .clear_i(clear), .push_i(in), .data_i, .full_o(full),
        .pop_i(out), .data_o(data), .empty_o(empty), .count_o(count));
    always @(posedge clk_i) if (rst_ni) begin : CountIsExact assert (count == inside_q); end
  end else begin : g_queue
    logic full;
    assign room = !full;
    systole_queue #(.Width(Width), .Depth(Depth)) u_cell (
        .clk_i, .rst_ni, .push_i(in), .data_i, .full_o(full),
        .pop_i(out), .valid_o(there), .head_o(data));
  end

  logic             marked_q;  // the marked word is inside
  logic             done_q;    // one mark is enough
  logic [Bits-1:0]  ahead_q;   // words in front of it
  logic [Width-1:0] word_q;
  initial begin
    inside_q = '0;
    marked_q = 1'b0;
    done_q   = 1'b0;
  end
  always_ff @(posedge clk_i) begin
    inside_q <= inside_q + Bits'(in) - Bits'(out);
    if (in && mark_i && !done_q) begin
      marked_q <= 1'b1;
      done_q   <= 1'b1;
      ahead_q  <= inside_q - Bits'(out);
      word_q   <= data_i;
    end else if (marked_q && out) begin
      if (ahead_q == '0) marked_q <= 1'b0;
      else ahead_q <= ahead_q - 1'b1;
    end
    if (clear) begin
      inside_q <= '0;
      marked_q <= 1'b0;
    end
  end

  always @(posedge clk_i) begin
    if (rst_ni) begin
      begin : WordsInsideCanBeTaken assert (there == (inside_q != '0)); end
      begin : RoomIsOffered assert (room == (inside_q != Bits'(Capacity))); end
      begin : MarkedWordLeavesUnchanged
        assert (!(marked_q && out && ahead_q == '0) || data == word_q);
      end
      begin : MarkedWordIsInside assert (!marked_q || ahead_q < inside_q); end
    end
  end
endmodule

`default_nettype wire
