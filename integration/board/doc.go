// Package board tests reprise board as its users have it: the program itself, over redis-servers of
// this machine, in a headless Chromium. Each page is watched for what its policy forbids and for errors
// on the console. Pictures go to the directory that REPRISE_SCREENSHOTS names.
package board
