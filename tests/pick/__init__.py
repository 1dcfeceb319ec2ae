"""Tests of the choice among students."""
