# Page tables, 40 clients have touched everything
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "tables"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set ylabel "MB"
set style fill solid 0.85
set boxwidth 0.6
set xrange [-0.6:1.6]
unset key
set logscale y
set yrange [2.22005:*]
set xtics ("stock" 0, "mshare" 1)
$d0 << EOD
0	17.62890625	17.62890625	17.62890625
EOD
$d1 << EOD
1	6.66015625	6.66015625	6.66015625
EOD
plot $d0 using 1:2 with boxes lc rgb "#01020a", $d1 using 1:2 with boxes lc rgb "#01020d"

# Page tables over time, 40 clients, all workloads of round 1
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "time"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set xlabel "seconds"
set ylabel "MB"
set yrange [0:*]
$d0 << EOD
1.0	2.75
2.0	5.30
3.1	7.76
4.7	13.30
5.7	17.91
6.9	17.89
8.1	1.45
9.2	2.91
10.3	7.60
11.3	1.43
12.3	1.45
13.3	1.52
14.3	1.91
15.3	1.88
16.4	1.43
17.4	1.85
18.4	1.59
19.4	1.85
20.6	1.43
21.8	1.48
22.8	1.66
23.8	1.43
24.8	1.43
25.9	1.43
26.9	1.43
27.9	1.43
28.9	1.43
29.9	2.41
31.0	2.80
32.1	2.75
33.1	2.62
34.3	2.72
35.3	1.48
36.3	1.43
37.4	1.43
38.4	1.43
39.4	1.43
40.6	2.85
41.7	7.71
42.7	12.87
43.7	12.91
44.7	12.91
45.8	12.91
47.0	12.91
52.6	12.91
53.7	12.91
54.8	12.91
55.9	12.91
56.9	12.91
58.2	10.50
59.2	1.43
60.2	1.43
61.2	1.43
62.2	1.43
63.2	1.43
64.2	1.43
65.2	1.43
66.2	1.43
67.2	4.98
68.2	8.05
69.2	8.20
70.3	8.43
71.3	8.59
72.6	8.68
73.6	8.89
74.6	9.18
75.6	9.40
76.7	9.61
77.7	9.74
78.7	9.97
79.7	10.06
80.8	1.71
81.8	1.43
82.8	1.43
83.8	1.43
84.9	1.43
85.9	1.43
86.9	1.43
EOD
$d1 << EOD
1.0	4.72
2.1	6.70
4.7	6.89
5.7	1.35
6.7	1.35
7.7	1.35
8.7	1.35
9.7	1.35
10.7	1.35
11.7	1.35
12.8	1.35
13.8	1.35
14.8	1.35
15.8	1.35
16.9	1.35
18.0	2.31
19.1	5.19
20.1	6.57
21.1	3.11
22.3	1.35
23.3	1.35
24.3	1.35
25.3	1.35
26.3	1.35
27.3	1.35
28.4	1.35
29.5	1.39
30.5	1.36
31.5	1.39
32.6	1.38
33.6	1.47
34.6	1.55
35.7	1.55
36.7	1.52
37.7	1.55
39.0	1.39
40.0	1.47
41.1	1.50
42.1	1.35
43.2	1.52
44.3	1.52
45.4	1.41
46.4	1.41
47.5	1.39
48.6	1.40
49.6	1.36
50.6	1.38
51.6	1.35
52.7	1.35
53.8	1.35
54.8	1.35
55.8	1.35
56.8	1.35
58.0	1.35
59.0	1.35
60.0	1.35
61.1	1.35
62.1	1.35
63.1	1.51
64.1	2.45
65.5	2.30
66.5	2.37
67.6	2.46
68.6	1.42
69.6	1.35
70.7	1.35
71.7	1.35
72.8	1.35
73.8	1.35
74.8	1.35
75.9	2.37
78.0	5.25
79.1	6.58
80.3	6.58
81.4	6.58
82.4	6.58
83.8	6.58
85.2	6.58
86.2	6.58
87.9	6.58
90.8	6.58
92.0	6.58
93.7	6.58
97.2	6.58
98.2	6.58
99.7	6.38
100.8	1.35
101.8	1.35
102.9	1.35
103.9	1.35
104.9	1.35
105.9	1.35
106.9	1.35
108.0	2.26
109.0	5.47
111.5	6.58
112.6	6.58
113.6	6.58
114.7	6.58
115.7	6.58
116.8	6.58
118.0	6.58
119.4	6.58
120.6	6.58
121.6	5.55
122.7	1.57
123.7	1.35
124.7	1.35
125.7	1.35
126.8	1.35
127.8	1.35
EOD
plot $d0 using 1:2 with lines lw 2 lc rgb "#01020a" title "stock", $d1 using 1:2 with lines lw 2 lc rgb "#01020d" title "mshare"

# Minor faults per second over time, 40 clients, the whole machine
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "faults_time"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set xlabel "seconds"
set ylabel "faults per second"
set yrange [0:*]
$d0 << EOD
1.0	3913.86
2.0	7087.13
3.1	8112.38
4.7	43612.88
5.7	19875.49
6.9	8061.40
8.1	53.91
9.2	3997.06
10.3	19013.64
11.3	3653.00
12.3	3454.37
13.3	7051.49
14.3	6620.79
15.3	6682.35
16.4	7086.27
17.4	9990.20
18.4	7735.00
19.4	6250.49
20.6	3003.42
21.8	62.90
22.8	7840.59
23.8	2406.93
24.8	0.00
25.9	0.98
26.9	0.00
27.9	0.00
28.9	0.00
29.9	9060.00
31.0	22430.44
32.1	12325.49
33.1	8848.51
34.3	15768.80
35.3	3934.31
36.3	0.00
37.4	0.00
38.4	1.92
39.4	25.00
40.6	4964.46
41.7	12140.57
42.7	7637.62
43.7	127.18
44.7	986.27
45.8	1465.42
47.0	541.94
52.6	524.73
53.7	599.09
54.8	575.70
55.9	409.01
56.9	0.00
58.2	8129.27
59.2	588.00
60.2	0.00
61.2	0.00
62.2	0.00
63.2	0.00
64.2	0.00
65.2	0.00
66.2	366.34
67.2	10814.71
68.2	11704.00
69.2	1207.84
70.3	494.06
71.3	212.75
72.6	226.56
73.6	250.00
74.6	318.63
75.6	356.86
76.7	288.35
77.7	184.47
78.7	319.42
79.7	97.03
80.8	9781.13
81.8	151.00
82.8	0.00
83.8	0.00
84.9	0.00
85.9	0.00
86.9	0.00
EOD
$d1 << EOD
1.0	10285.29
2.1	7492.59
4.7	4581.71
5.7	22.77
6.7	0.00
7.7	1.00
8.7	0.00
9.7	0.00
10.7	0.00
11.7	0.00
12.8	0.00
13.8	0.00
14.8	0.00
15.8	0.00
16.9	49.53
18.0	2437.14
19.1	7975.00
20.1	4529.00
21.1	9928.04
22.3	0.90
23.3	0.00
24.3	0.00
25.3	0.00
26.3	0.00
27.3	0.00
28.4	296.26
29.5	920.91
30.5	1197.12
31.5	1202.94
32.6	1166.67
33.6	1198.10
34.6	2173.27
35.7	1141.28
36.7	1226.73
37.7	1228.71
39.0	445.24
40.0	909.71
41.1	804.76
42.1	439.05
43.2	827.27
44.3	973.64
45.4	786.11
46.4	894.23
47.5	1086.79
48.6	1172.48
49.6	1195.15
50.6	1466.34
51.6	911.76
52.7	0.93
53.8	0.00
54.8	0.00
55.8	0.00
56.8	0.00
58.0	0.00
59.0	0.00
60.0	0.00
61.1	0.00
62.1	0.00
63.1	936.19
64.1	9486.14
65.5	8193.13
66.5	6833.98
67.6	8765.74
68.6	7122.55
69.6	0.00
70.7	0.00
71.7	0.00
72.8	0.00
73.8	0.00
74.8	0.00
75.9	3844.12
78.0	6077.83
79.1	887.93
80.3	1193.69
81.4	1477.19
82.4	196.12
83.8	58.96
85.2	1.40
86.2	0.00
87.9	0.00
90.8	1.04
92.0	0.00
93.7	0.00
97.2	1.17
98.2	7.34
99.7	5147.97
100.8	2735.51
101.8	0.99
102.9	0.00
103.9	0.00
104.9	0.00
105.9	0.00
106.9	0.00
108.0	3701.96
109.0	9554.37
111.5	2695.29
112.6	230.84
113.6	234.31
114.7	98.11
115.7	71.43
116.8	17.48
118.0	9.92
119.4	26.21
120.6	15.65
121.6	2794.39
122.7	7301.92
123.7	0.00
124.7	0.00
125.7	0.00
126.8	0.00
127.8	0.00
EOD
plot $d0 using 1:2 with lines lw 2 lc rgb "#01020a" title "stock", $d1 using 1:2 with lines lw 2 lc rgb "#01020d" title "mshare"

# Memory available over time, 40 clients
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "available_time"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set xlabel "seconds"
set ylabel "GB"
set yrange [0:*]
$d0 << EOD
1.0	2.39
2.0	2.37
3.1	2.35
4.7	2.33
5.7	2.33
6.9	2.33
8.1	2.39
9.2	2.39
10.3	2.34
11.3	2.38
12.3	2.38
13.3	2.39
14.3	2.39
15.3	2.39
16.4	2.40
17.4	2.40
18.4	2.40
19.4	2.40
20.6	2.41
21.8	2.41
22.8	2.41
23.8	2.41
24.8	2.41
25.9	2.41
26.9	2.41
27.9	2.41
28.9	2.41
29.9	2.40
31.0	2.39
32.1	2.40
33.1	2.40
34.3	2.39
35.3	2.40
36.3	2.40
37.4	2.40
38.4	2.40
39.4	2.40
40.6	2.39
41.7	2.33
42.7	2.33
43.7	2.33
44.7	2.33
45.8	2.33
47.0	2.33
52.6	2.33
53.7	2.33
54.8	2.33
55.9	2.33
56.9	2.33
58.2	2.34
59.2	2.40
60.2	2.40
61.2	2.40
62.2	2.40
63.2	2.40
64.2	2.40
65.2	2.40
66.2	2.40
67.2	2.37
68.2	2.34
69.2	2.33
70.3	2.33
71.3	2.33
72.6	2.33
73.6	2.33
74.6	2.33
75.6	2.33
76.7	2.33
77.7	2.33
78.7	2.33
79.7	2.33
80.8	2.40
81.8	2.40
82.8	2.40
83.8	2.40
84.9	2.40
85.9	2.40
86.9	2.40
EOD
$d1 << EOD
1.0	2.37
2.1	2.35
4.7	2.33
5.7	2.37
6.7	2.37
7.7	2.38
8.7	2.38
9.7	2.38
10.7	2.39
11.7	2.39
12.8	2.39
13.8	2.39
14.8	2.39
15.8	2.39
16.9	2.39
18.0	2.39
19.1	2.36
20.1	2.34
21.1	2.35
22.3	2.40
23.3	2.40
24.3	2.41
25.3	2.41
26.3	2.41
27.3	2.41
28.4	2.41
29.5	2.41
30.5	2.41
31.5	2.41
32.6	2.41
33.6	2.41
34.6	2.41
35.7	2.41
36.7	2.41
37.7	2.40
39.0	2.40
40.0	2.40
41.1	2.40
42.1	2.40
43.2	2.40
44.3	2.40
45.4	2.40
46.4	2.40
47.5	2.40
48.6	2.40
49.6	2.40
50.6	2.41
51.6	2.41
52.7	2.41
53.8	2.41
54.8	2.41
55.8	2.41
56.8	2.41
58.0	2.41
59.0	2.41
60.0	2.41
61.1	2.41
62.1	2.41
63.1	2.41
64.1	2.40
65.5	2.40
66.5	2.39
67.6	2.39
68.6	2.40
69.6	2.40
70.7	2.40
71.7	2.40
72.8	2.40
73.8	2.40
74.8	2.40
75.9	2.40
78.0	2.35
79.1	2.33
80.3	2.32
81.4	2.32
82.4	2.32
83.8	2.32
85.2	2.32
86.2	2.32
87.9	2.33
90.8	2.33
92.0	2.33
93.7	2.33
97.2	2.33
98.2	2.33
99.7	2.32
100.8	2.40
101.8	2.40
102.9	2.40
103.9	2.40
104.9	2.40
105.9	2.40
106.9	2.40
108.0	2.39
109.0	2.35
111.5	2.34
112.6	2.34
113.6	2.34
114.7	2.34
115.7	2.34
116.8	2.34
118.0	2.34
119.4	2.34
120.6	2.34
121.6	2.34
122.7	2.39
123.7	2.41
124.7	2.41
125.7	2.41
126.8	2.41
127.8	2.41
EOD
plot $d0 using 1:2 with lines lw 2 lc rgb "#01020a" title "stock", $d1 using 1:2 with lines lw 2 lc rgb "#01020d" title "mshare"

# Transactions per second over time, 40 clients, select-only
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "tps_time"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set xlabel "seconds"
set ylabel "tps"
set yrange [0:*]
$d0 << EOD
0.0	0.0
0.4	0.0
1.4	28.6
2.4	1281.0
3.4	1412.8
4.4	569.4
5.4	565.3
6.4	598.2
7.4	822.6
8.4	343.8
9.4	532.2
10.4	811.1
11.4	631.8
12.4	726.2
14.8	200.2
EOD
$d1 << EOD
0.0	0.0
0.3	0.0
1.2	29.1
2.2	325.1
3.2	244.8
4.2	119.1
5.6	216.3
6.2	48.6
7.5	91.2
8.7	66.3
9.2	95.5
10.2	87.0
11.2	84.1
12.3	73.2
13.2	101.4
14.2	56.4
15.3	57.8
17.1	20.4
17.2	397.2
EOD
plot $d0 using 1:2 with lines lw 2 lc rgb "#01020a" title "stock", $d1 using 1:2 with lines lw 2 lc rgb "#01020d" title "mshare"

# Connecting 40 clients at once, with spread
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "connect"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set ylabel "seconds"
set style fill solid 0.85
set boxwidth 0.6
set xrange [-0.6:1.6]
unset key
set yrange [0:*]
set xtics ("stock" 0, "mshare" 1)
$d0 << EOD
0	1.329	0.694	1.964
EOD
$d1 << EOD
1	3.551	1.992	5.111
EOD
plot $d0 using 1:2 with boxes lc rgb "#01020a", $d0 using 1:3:(0):($4-$3) with vectors heads size graph 0.012,90 lw 2 lc rgb "black", $d1 using 1:2 with boxes lc rgb "#01020d", $d1 using 1:3:(0):($4-$3) with vectors heads size graph 0.012,90 lw 2 lc rgb "black"

# Minor faults, all of it touched by 40 clients
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "faults"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set ylabel "faults"
set style fill solid 0.85
set boxwidth 0.6
set xrange [-0.6:1.6]
unset key
set logscale y
set yrange [6542.33:*]
set format y "%.0s %c"
set xtics ("stock" 0, "mshare" 1)
$d0 << EOD
0	109634	109634	109634
EOD
$d1 << EOD
1	19627	19627	19627
EOD
plot $d0 using 1:2 with boxes lc rgb "#01020a", $d1 using 1:2 with boxes lc rgb "#01020d"

# Transactions per second, 40 clients, select-only, with spread
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "tps"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set ylabel "tps"
set style fill solid 0.85
set boxwidth 0.6
set xrange [-0.6:1.6]
unset key
set yrange [0:*]
set xtics ("stock" 0, "mshare" 1)
$d0 << EOD
0	609.61	343.8	811.1
EOD
$d1 << EOD
1	77.802	56.4	101.4
EOD
plot $d0 using 1:2 with boxes lc rgb "#01020a", $d0 using 1:3:(0):($4-$3) with vectors heads size graph 0.012,90 lw 2 lc rgb "black", $d1 using 1:2 with boxes lc rgb "#01020d", $d1 using 1:3:(0):($4-$3) with vectors heads size graph 0.012,90 lw 2 lc rgb "black"

